-- The badge of a row that was undone says when.
begin;
select plan(1);

select tests.create_book(isbn13 => '9780439023481') as work \gset
select tests.bring_to_review(:'work') as row \gset
select count(*) from public.undo_enrichment(:'row');
select results_eq(format('select status::text, undone_at, cover_url from public.enrichment_status(array[%L]::uuid[])', :'work'), $$ values ('skipped', now(), null::text) $$, 'skipped, undone now');

select * from finish();
rollback;
