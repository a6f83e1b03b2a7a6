-- A cached title look-up without the wanted year leaves something to ask for by ISBN: the row takes what there is and waits for the rest.
begin;
select plan(6);

select tests.switch_on();
select tests.create_book(isbn13 => '9780439023481') as work \gset
select tests.enqueue(:'work') as row \gset
select tests.store_lookup('title', 'hunger games | suzanne collins', tests.search_reply());

select results_eq(
    $$ select status, wait_reason from public.sweep_enrichment() $$, $$ values ('pending'::enrichment.queue_status, 'next_lookup') $$,
    'the row waits for its next look-up'
);
select isnt((select w.default_cover_url from public.works as w), null, 'with its cover already there');
select is((tests.queue_row(:'row')).attempt_count, 0::smallint, 'no attempt is spent');
select ok((tests.queue_row(:'row')).next_attempt_after <= now(), 'a worker may take it at once');
select is_empty('select * from public.sweep_enrichment()', 'the sweep does not take it again for the same record');
select is((select l.kind from tests.claim_one() as c, jsonb_to_recordset(c.lookups) as l (kind text)), 'isbn', 'the worker is asked for the look-up by ISBN');

select * from finish();
rollback;
