-- Hot-linking, the default, downloads nothing and queues nothing.
begin;
select plan(4);

select tests.switch_on();
select tests.create_hot_linked('Was there before');
select tests.create_book(isbn13 => '9780439023481') as work \gset
select tests.enrich(:'work', tests.search_reply(isbn13 => '9780439023481'));

select isnt((select w.default_cover_url from public.works as w where w.id = :'work'), null, 'a cover was filled');
select is_empty($$ select public.claim_covers('worker one') $$, 'there is nothing to claim');
select is_empty('select 1 from enrichment.cover_queue', 'no row was made');
select results_eq('select cover_mode, wait_reason, pending, due_at from public.enrichment_covers()', $$ values ('hotlink', 'hotlink_mode', 0, null::timestamptz) $$, 'it says so');

select * from finish();
rollback;
