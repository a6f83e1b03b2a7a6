-- Everything starts closed: visitors may call nothing, API roles only the verbs made for them.
begin;
select plan(4);

create temp table callable as
select p.oid::regprocedure::text as function, p.proname, caller
from pg_proc as p
cross join unnest(array['anon', 'authenticated', 'service_role']) as caller
where p.pronamespace in ('public'::regnamespace, 'enrichment'::regnamespace)
    and p.oid <> 'enrichment.is_on_own_shelf(uuid)'::regprocedure  -- policies ask it as the reader they are for
    and p.prorettype <> 'trigger'::regtype and has_function_privilege(caller, p.oid, 'execute');

select is(
    (select array_agg(caller) from unnest(array['anon', 'authenticated', 'service_role']) as caller where has_function_privilege(caller, 'enrichment.is_on_own_shelf(uuid)', 'execute')),
    '{authenticated}', 'what policies ask is for readers'
);
select is_empty($$ select c.function from callable as c where c.caller = 'anon' $$, 'a visitor may call nothing');
select is_empty(
    $$ select c.function, c.caller from callable as c where c.function like 'enrichment.%' and c.proname not like '%\_impl' $$,
    'helpers are called by our own functions only'
);
select is_empty(
    $$ select c.function from callable as c
    where c.caller = 'authenticated' and regexp_replace(c.proname, '_impl$', '') <> all(array[
        'trigger_enrichment', 'trigger_missing_enrichment', 'enrichment_status', 'list_enrichment', 'approve_enrichment', 'dismiss_enrichment', 'lock_fields',
        'unlock_fields', 'enrichment_library', 'enrichment_summary', 'enrichment_history', 'enrichment_imports', 'enrichment_import',
        'enrichment_import_rows', 'enrichment_usage', 'undo_enrichment', 'undo_import', 'approve_matching', 'dismiss_matching',
        'explain_enrichment', 'preview_enrichment'
    ]) $$,
    'a reader may call nothing of the service role''s'
);

select * from finish();
rollback;
