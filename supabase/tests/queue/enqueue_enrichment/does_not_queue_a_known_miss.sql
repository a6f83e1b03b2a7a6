-- A book no provider knows is not asked for again while the misses are fresh, however often the button is pressed.
begin;
select plan(2);

select tests.switch_on();
select tests.create_book('Nobody Knows This', 'Nobody') as work \gset
select tests.store_lookup('title', 'nobody knows this | nobody', null);

select results_eq(
    format($$ select o.outcome, o.queue_id from public.enqueue_enrichment(array[%L]::uuid[]) as o $$, :'work'),
    $$ values ('known_miss', null::uuid) $$, 'it is a known miss'
);
select is_empty($$ select 1 from public.enrichment_queue $$, 'no row is made');

select * from finish();
rollback;
