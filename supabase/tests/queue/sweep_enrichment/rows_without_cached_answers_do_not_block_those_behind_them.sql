-- Books that nobody has looked up yet may stand in front by the dozen: the one that can be answered is found behind them.
begin;
select plan(3);

select tests.switch_on();
insert into public.enrichment_queue (work_id, trigger_source, priority)
select tests.create_book('Unknown ' || n), 'manual_bulk', 10 from generate_series(1, 30) as n;
select tests.create_book(isbn13 => '9780439023481') as work \gset
select tests.enqueue(:'work') as row \gset
select tests.store_host_records(:'work');
create temp table others as select q.* from public.enrichment_queue as q where q.id <> :'row';

select results_eq('select queue_id from public.sweep_enrichment(5)', array[:'row'::uuid], 'a sweep of five reaches the one behind thirty');
select is((tests.queue_row(:'row')).status, 'completed', 'and completes it');
select set_eq(format('select * from public.enrichment_queue where id <> %L', :'row'), 'select * from others', 'the thirty are exactly as before');

select * from finish();
rollback;
