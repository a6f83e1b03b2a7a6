-- What somebody wrote stays, also when it was written between the claim and the answer.
begin;
select plan(4);

select tests.switch_on();
select tests.create_book(isbn13 => '9780439023481') as work \gset
update public.editions set publisher = 'A reader''s own' where work_id = :'work';
select tests.enqueue(:'work') as row \gset
select tests.answer_with(tests.claim_one(), tests.search_reply(isbn13 => '9780439023481')) as answer \gset
update public.works set default_cover_url = 'https://example.org/mine.jpg', first_publish_year = 1999 where id = :'work';

select is((select status from public.apply_enrichment(:'answer')), 'completed', 'the answer is applied');
select results_eq(
    'select default_cover_url, first_publish_year::integer from public.works', $$ values ('https://example.org/mine.jpg', 1999) $$,
    'the cover and year of the meantime stay'
);
select is((select e.publisher from public.editions as e), 'A reader''s own', 'and the publisher of before');
select is_empty(
    $$ select 1 from public.enrichment_audit_log as a where a.fields_changed ?| '{work.cover_url,work.first_publish_year,edition.publisher}' $$,
    'no change is claimed that was not made'
);

select * from finish();
rollback;
