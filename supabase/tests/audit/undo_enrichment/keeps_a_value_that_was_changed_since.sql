-- What somebody edited after enrichment had filled it is theirs: it stays, and is named. So does what somebody emptied.
begin;
select plan(5);

select tests.switch_on();
select tests.create_book(isbn13 => '9780439023481') as work \gset
select tests.bring_to_review(:'work') as row \gset
update public.works set first_publish_year = 2009, default_cover_url = 'https://example.org/mine.jpg' where id = :'work';
update public.editions set publisher = null, publish_date = '2009-01-01' where work_id = :'work';

create temp table outcome as select * from public.undo_enrichment(:'row');
select is((select fields_kept from outcome), '{edition.publish_date,edition.publisher,work.cover_url,work.first_publish_year}', 'the changed ones are kept');
select is((select fields_restored from outcome), '{edition.isbn10,edition.language}', 'the others are restored');
select results_eq(
    'select first_publish_year::integer, default_cover_url from public.works', $$ values (2009, 'https://example.org/mine.jpg') $$, 'the work is as it was edited'
);
select results_eq(
    'select publisher::text, publish_date, isbn10::text, language::text from public.editions', $$ values (null::text, date '2009-01-01', null::text, null::text) $$,
    'so is the edition, without what we wrote'
);
select is(
    (select a.match_details -> 'fields_kept' from public.enrichment_audit_log as a where a.action = 'undone'),
    '["edition.publish_date", "edition.publisher", "work.cover_url", "work.first_publish_year"]', 'the log names them too'
);

select * from finish();
rollback;
