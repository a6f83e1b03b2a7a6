-- A provider may say anything: what does not fit our columns is left out, what fits is filled, and nothing fails.
begin;
select plan(3);

select tests.switch_on();
select tests.create_book(isbn13 => '9780439023481') as work \gset
select tests.enqueue(:'work') as row \gset

select is(
    (select o.status from public.apply_enrichment(tests.answer_with(
        tests.claim_one(), tests.search_reply(isbn13 => '9780439023481', first_publish_year => 99999, publisher => repeat('x', 256), cover_id => -1)
    )) as o),
    'completed', 'the row is completed'
);
select results_eq('select default_cover_url, first_publish_year from public.works', 'values (null::text, null::smallint)', 'no cover and no year');
select results_eq('select publisher::text, isbn10::text, language::text from public.editions', $$ values (null, '0439023483', 'eng') $$, 'no publisher, but the rest');

select * from finish();
rollback;
