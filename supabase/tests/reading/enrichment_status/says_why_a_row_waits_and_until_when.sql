-- Waiting is never silent: each waiting row has a reason, and a time unless it waits for a switch.
begin;
select plan(4);

select tests.create_book('Imported') as imported, tests.create_book('Wished for') as wished_for, tests.create_book('Failing') as failing, tests.create_book('Never asked for') as other \gset
select tests.enqueue(:'imported', 'post_import');
select count(*) from public.configure_enrichment('{"contact": "tests@example.org"}');
select tests.enqueue(:'failing');
select count(f) from tests.claim_one() as c, public.fail_enrichment(c.queue_id, c.claim_token, 'the provider answered 400') as f;
select tests.enqueue(:'wished_for');

select results_eq(
    format('select wait_reason, next_attempt_after, last_error from public.enrichment_status(array[%L]::uuid[])', t.work),
    format('select %L::text, %L::timestamptz, %L::text', t.wait_reason, t.until, t.last_error), t.promise
)
from (
    values
    (:'imported', 'auto_disabled', null::timestamptz, null, 'the import waits for the switch, without a time'),
    (:'wished_for', 'queued', now(), null, 'the wish is due'),
    (:'failing', 'backoff', now() + tests.span('backoff_base_seconds'), 'the provider answered 400', 'the failure says what and until when'),
    (:'other', null, null, null, 'what was never queued has nothing to say')
) as t (work, wait_reason, until, last_error, promise);

select * from finish();
rollback;
