-- While auto_enabled is off an import's rows wait, cached answers or not; what a person asked for runs.
begin;
select plan(3);

select tests.create_book(isbn13 => '9780439023481') as imported, tests.create_book('Battle Royale', 'Koushun Takami') as wished_for \gset
select tests.enqueue(:'imported', 'post_import') as waiting, tests.enqueue(:'wished_for') as running \gset
select tests.store_host_records(:'imported');
select tests.store_lookup('title', 'battle royale | koushun takami', tests.search_reply('Battle Royale', 'Koushun Takami'));

select results_eq('select queue_id from public.sweep_enrichment()', array[:'running'::uuid], 'only the wish is swept');
select is((tests.queue_row(:'waiting')).wait_reason, 'auto_disabled', 'the import waits and says why');
select is((select w.default_cover_url from public.works as w where w.id = :'imported'), null, 'with nothing written');

select * from finish();
rollback;
