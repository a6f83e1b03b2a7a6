-- Undoing a dismissed row takes its cover back; the book that was rejected is not proposed again.
begin;
select plan(3);

select tests.create_book(isbn13 => '9780439023481') as work \gset
select tests.bring_to_review(:'work') as row \gset
select count(*) from public.dismiss_enrichment(:'row');

select results_eq(
    format('select status::text, fields_restored from public.undo_enrichment(%L)', :'row'), $$ values ('skipped', '{work.cover_url}'::text[]) $$, 'the cover is taken back'
);
select tests.let_pass('1 hour');
update public.source_records set fetched_at = now();
select tests.enqueue(:'work') as again \gset
select count(*) from public.sweep_enrichment();
select is((tests.queue_row(:'again')).status, 'skipped', 'asked again, the book is passed over');
select is((tests.queue_row(:'again')).match_details -> 'proposals', null, 'and proposes nothing');

select * from finish();
rollback;
