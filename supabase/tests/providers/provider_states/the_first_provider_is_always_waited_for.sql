-- Doing without is for later providers: what nobody has been asked for yet waits, whatever the settings say.
begin;
select plan(3);

select tests.switch_on();
select tests.enqueue(tests.create_book(isbn13 => '9780439023481')) as row \gset
update enrichment.providers set daily_limit = 0 where provider = 'openlibrary';
select is_empty($$ select 1 from public.claim_enrichment('worker one') $$, 'Open Library may not be asked today');
select is((tests.queue_row(:'row')).wait_reason, 'daily', 'so the row waits');
select is(
    (tests.queue_row(:'row')).next_attempt_after at time zone 'UTC', date_trunc('day', now() at time zone 'UTC') + interval '1 day', 'until midnight'
);

select * from finish();
rollback;
