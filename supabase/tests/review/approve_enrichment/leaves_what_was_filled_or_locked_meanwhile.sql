-- A proposal is older than what a reader wrote since, or locked since: those fields are skipped, and said to be.
begin;
select plan(5);

select tests.create_book(isbn13 => '9780439023481') as work \gset
select tests.bring_to_review(:'work') as row \gset
update public.works set first_publish_year = 1999 where id = :'work';
select count(*) from public.lock_fields(:'work', '{edition.publisher}', tests.edition_of(:'work'));

create temp table outcome as select * from public.approve_enrichment(:'row', '{work.first_publish_year,edition.publisher,edition.language}');
select is((select fields_skipped from outcome), '{edition.publisher,work.first_publish_year}', 'both are named as skipped');
select is((select fields_applied from outcome), '{edition.language}', 'the third is applied');
select is((select w.first_publish_year::integer from public.works as w), 1999, 'the reader''s year stays');
select is((select e.publisher from public.editions as e), null, 'the locked field stays empty');
select is_empty($$ select 1 from public.enrichment_audit_log as a where a.fields_changed ? 'work.first_publish_year' $$, 'no change is claimed');

select * from finish();
rollback;
