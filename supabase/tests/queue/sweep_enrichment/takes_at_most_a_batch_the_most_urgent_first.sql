-- A sweep has an end: at most batch_size rows, a person's wish before an import; more than 1,000 is refused.
begin;
select plan(4);

select tests.switch_on();
select tests.create_book('First') as first, tests.create_book('Second') as second \gset
select tests.enqueue(:'first', 'post_import') as imported, tests.enqueue(:'second') as wished_for \gset
select tests.store_lookup('title', t.title || ' | suzanne collins', null) from unnest('{first,second}'::text[]) as t (title);

select results_eq('select queue_id from public.sweep_enrichment(1)', array[:'wished_for'::uuid], 'the wish goes first');
select results_eq('select queue_id from public.sweep_enrichment(1)', array[:'imported'::uuid], 'then the import');
select throws_ok('select * from public.sweep_enrichment(0)', 'PT422', null, 'a batch of none is refused');
select throws_ok('select * from public.sweep_enrichment(1001)', 'PT422', null, 'a batch that PostgREST would cut as well');

select * from finish();
rollback;
