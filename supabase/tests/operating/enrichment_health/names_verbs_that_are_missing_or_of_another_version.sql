-- A client says what it is going to call; the database says what of that it does not have.
begin;
select plan(4);

create function pg_temp.migrations(verbs jsonb)
returns text
language sql
as $$
    select c.state || ': ' || c.message from public.enrichment_health(verbs) as c where c.name = 'migrations'
$$;

select matches(pg_temp.migrations('{"claim_enrichment": ["worker_name", "batch_size"], "enrichment_due": []}'), '^ok: ', 'what is there is fine');
select is(
    pg_temp.migrations('{"claim_enrichment": ["worker_name", "colour"], "enrichment_due": [], "sing": []}'),
    'fail: these verbs are missing or of another version: claim_enrichment, sing', 'what is not is named'
);
select throws_ok($$ select public.enrichment_health('[]') $$, 'PT422', null, 'verbs that are no object are refused');
drop function enrichment.schedule_jobs();
select matches(pg_temp.migrations('{}'), '^fail: the last migration is missing', 'the last room has no verb, and is missed too');

select * from finish();
rollback;
