-- Same ISBN and same title: with both switches on, all that the reply knows is filled and the row completes.
begin;
select plan(4);

select tests.switch_on();
select tests.create_book(isbn13 => '9780439023481') as work \gset
select tests.enqueue(:'work') as row \gset

select results_eq(
    $$ select outcome, status::text, confidence::text, cardinality(fields_applied)
    from public.apply_enrichment(tests.answer_with(tests.claim_one(), tests.search_reply(isbn13 => '9780439023481'))) $$,
    $$ values ('applied', 'completed', 'high', 6) $$, 'six fields are applied'
);
select results_eq(
    'select default_cover_url, first_publish_year::integer from public.works',
    $$ values ('https://covers.openlibrary.org/b/id/12646537-M.jpg', 2008) $$, 'the work has its cover and year'
);
select results_eq(
    'select publisher::text, publish_date, isbn10::text, language::text from public.editions',
    $$ values ('Scholastic Press', date '2008-09-14', '0439023483', 'eng') $$, 'the edition has the rest'
);
select is((tests.queue_row(:'row')).match_details -> 'proposals', null, 'nothing is left to ask');

select * from finish();
rollback;
