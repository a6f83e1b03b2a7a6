-- The badge columns of the work go back to the last row that is not undone, and to nothing where there is none.
begin;
select plan(3);

select tests.switch_on();
select tests.create_book(isbn13 => '9780439023481') as work \gset
select tests.bring_to_review(:'work') as first \gset
select tests.let_pass('1 hour');
update public.source_records set fetched_at = now(), raw = tests.search_reply(title => 'Mockingjay', isbn13 => '9780439023481', work_key => '/works/OL1W');
update public.works set first_publish_year = null;
select tests.enqueue(:'work') as second \gset
select count(*) from public.sweep_enrichment();
select results_eq('select enrichment_status::text, enrichment_confidence::text from public.works', $$ values ('needs_review', 'low') $$, 'the second row asks');

select count(*) from public.undo_enrichment(:'second');
select results_eq('select enrichment_status::text, enrichment_confidence::text, last_enriched_at from public.works', $$ values ('completed', 'high', now() - interval '1 hour') $$, 'the first one counts again');
select count(*) from public.undo_enrichment(:'first');
select results_eq('select enrichment_status::text, enrichment_confidence::text, last_enriched_at from public.works', 'values (null::text, null::text, null::timestamptz)', 'then none');

select * from finish();
rollback;
