-- A value the file once filled and somebody emptied is not filled from the same row again.
begin;
select plan(2);

select tests.create_reader() as reader \gset
select count(*) from tests.import(:'reader', tests.csv_row(2, more => '{"publisher": "Scholastic", "total_pages": 374}'));
update public.editions set publisher = null;

select count(*) from tests.import(:'reader', tests.csv_row(2, more => '{"publisher": "Scholastic", "total_pages": 374}'));

select results_eq(
    $$ select e.publisher::text, e.total_pages from public.editions as e $$, $$ values (null::text, 374) $$, 'it stays empty'
);
select is_empty($$ select 1 from public.enrichment_audit_log $$, 'and nothing is logged: a new book''s own values are no change');

select * from finish();
rollback;
