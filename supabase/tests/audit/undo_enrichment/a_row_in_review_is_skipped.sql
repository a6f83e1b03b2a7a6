-- Undone before anybody decided: the row is skipped, the cover that was applied already is taken back, nothing proposed was rejected.
begin;
select plan(4);

select tests.create_book(isbn13 => '9780439023481') as work \gset
select tests.bring_to_review(:'work') as row \gset

select results_eq(
    format('select status::text, fields_restored from public.undo_enrichment(%L)', :'row'), $$ values ('skipped', '{work.cover_url}'::text[]) $$, 'skipped, with its cover'
);
select results_eq(format('select finished_at, undone_at from tests.queue_row(%L)', :'row'), 'values (now(), now())', 'the row has ended');
select is((select default_cover_url from public.works), null, 'the cover is gone');
select is_empty('select 1 from enrichment.rejected_candidates', 'the book was not rejected');

select * from finish();
rollback;
