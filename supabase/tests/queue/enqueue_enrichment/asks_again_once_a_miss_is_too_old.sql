-- After miss_valid_days a miss is no answer any more.
begin;
select plan(2);

select tests.switch_on();
select tests.create_book('Nobody Knows This', 'Nobody') as work \gset
select tests.store_lookup('title', 'nobody knows this | nobody', null);
update public.source_records set fetched_at = now() - tests.span('miss_valid_days') - interval '1 day';

select results_eq(
    format($$ select o.outcome from public.enqueue_enrichment(array[%L]::uuid[]) as o $$, :'work'), array['enqueued'], 'it is enqueued'
);
select is(jsonb_array_length((tests.claim_one()).lookups), 1, 'and looked up');

select * from finish();
rollback;
