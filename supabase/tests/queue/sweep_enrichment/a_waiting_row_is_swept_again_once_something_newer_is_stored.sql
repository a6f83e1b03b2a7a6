-- A row that was weighed before is looked at again only when a record comes that it has not seen.
begin;
select plan(2);

select tests.switch_on();
select tests.create_book(isbn13 => '9780439023481') as work \gset
select tests.enqueue(:'work') as row \gset
select tests.store_lookup('title', 'hunger games | suzanne collins', tests.search_reply());
select count(*) from public.sweep_enrichment();
select tests.let_pass('1 hour');
select is_empty('select * from public.sweep_enrichment()', 'nothing new, nothing swept');

select tests.store_lookup('isbn', '9780439023481', tests.search_reply(isbn13 => '9780439023481'));
select results_eq('select queue_id, status::text from public.sweep_enrichment()', format('values (%L::uuid, ''completed'')', :'row'), 'the new record completes it');

select * from finish();
rollback;
