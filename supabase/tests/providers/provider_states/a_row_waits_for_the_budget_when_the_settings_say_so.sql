-- With finish_without_budget off, a row with a gap that only Google Books could still fill waits for midnight in California.
begin;
select plan(9);

select tests.switch_on();
select count(*) from public.configure_enrichment('{"provider_keys": ["googlebooks"], "finish_without_budget": false}');
select tests.create_reader() as ada \gset
update public.users set enable_google_books = true;
update enrichment.providers set used_today = 950, used_on = (clock_timestamp() at time zone reset_time_zone)::date where provider = 'googlebooks';

select tests.create_book(isbn13 => '9780439023481') as work, tests.create_book('Has all', isbn13 => '9780061120084') as other \gset
select tests.enqueue(:'work', triggered_by => :'ada') as row, tests.enqueue(:'other', triggered_by => :'ada') as other_row \gset
select tests.fill_every_gap(:'other');
update public.works set first_publish_year = null where id = :'other';
update public.editions set isbn10 = '0061120081', isbn13 = '9780061120084' where work_id = :'other';
select tests.store_lookup('isbn', '9780439023481', tests.search_reply(isbn13 => '9780439023481'));
select tests.store_lookup('isbn', '9780061120084', tests.search_reply('Has all', isbn13 => '9780061120084', work_key => '/works/OL2W'));
select count(*) from public.sweep_enrichment();

select results_eq(
    format($$ select q.status::text, q.wait_reason, q.attempt_count::integer from public.enrichment_queue as q where q.id = %L $$, :'row'),
    $$ values ('pending', 'daily', 0) $$, 'it waits, says for what, and has spent no attempt'
);
select is(
    (tests.queue_row(:'row')).next_attempt_after at time zone 'America/Los_Angeles',
    date_trunc('day', now() at time zone 'America/Los_Angeles') + interval '1 day', 'until midnight where the provider counts'
);
select isnt((select w.default_cover_url from public.works as w where w.id = :'work'), null, 'what Open Library knew is applied meanwhile');
select is((tests.queue_row(:'row')).match_details -> 'not_asked', null, 'nobody was left out yet');
select is((tests.queue_row(:'other_row')).status, 'completed', 'a row that Google could do nothing for does not wait');
select is_empty($$ select 1 from public.claim_enrichment('worker one') $$, 'no worker gets it today');

update public.enrichment_queue set next_attempt_after = now() where id = :'row';
select is_empty($$ select 1 from public.claim_enrichment('worker one') $$, 'nor when it comes due while the budget is still spent');
select is((tests.queue_row(:'row')).wait_reason, 'daily', 'it goes on waiting');

select count(*) from public.configure_enrichment('{"finish_without_budget": true}');
select results_eq(
    $$ select c.queue_id, c.lookups from public.claim_enrichment('worker one') as c $$, format($$ values (%L::uuid, '[]'::jsonb) $$, :'row'),
    'when the settings say otherwise it is due, with nothing left to look up'
);

select * from finish();
rollback;
