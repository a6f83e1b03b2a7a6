-- Ticking nothing is an answer too: the row is done, and none of it comes back.
begin;
select plan(3);

select tests.create_book(isbn13 => '9780439023481') as work \gset
select tests.bring_to_review(:'work') as row \gset

select results_eq(
    format($$ select status::text, fields_applied, fields_skipped from public.approve_enrichment(%L, '{}') $$, :'row'),
    $$ values ('completed', '{}'::text[], '{}'::text[]) $$, 'the row is completed'
);
select is((select w.first_publish_year from public.works as w), null, 'nothing is written');
select is_empty($$ select 1 from public.enrichment_audit_log where action = 'approved' $$, 'nothing is logged as a change');

select * from finish();
rollback;
