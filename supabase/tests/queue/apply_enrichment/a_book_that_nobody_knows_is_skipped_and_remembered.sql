-- Missed by ISBN and by title everywhere, a row is skipped, and asking again costs nothing until the misses expire.
begin;
select plan(6);

select tests.switch_on();
select tests.create_book(isbn13 => '9780439023481') as work \gset
select tests.enrich(:'work', null) as row \gset
select is((select status from public.apply_enrichment(tests.answer_with(tests.claim_one(), null))), 'skipped', 'the row is skipped');
select is((tests.queue_row(:'row')).match_details ->> 'sentence', 'no provider knows this book', 'and says so');
select is((tests.queue_row(:'row')).providers_attempted, '{openlibrary}', 'naming who was asked');

select results_eq(
    format('select outcome, queue_id from public.enqueue_enrichment(array[%L::uuid])', :'work'), $$ values ('known_miss', null::uuid) $$,
    'asking again answers known_miss'
);
select tests.let_pass(tests.span('miss_valid_days') - interval '1 day');
select is((select outcome from public.enqueue_enrichment(array[:'work'::uuid])), 'known_miss', 'still on the last day');
select tests.let_pass('2 days');
select is((select outcome from public.enqueue_enrichment(array[:'work'::uuid])), 'enqueued', 'but not the day after');

select * from finish();
rollback;
