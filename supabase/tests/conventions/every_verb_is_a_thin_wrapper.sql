-- A public verb only passes its arguments on, as whoever calls it, to a private function of the same name and arguments that runs as its owner.
begin;
select plan(4);

create temp table verbs as
select verb.oid::regprocedure::text as verb, verb as outside, private as inside
from pg_proc as verb
left join pg_proc as private
    on private.pronamespace = 'enrichment'::regnamespace and private.proname = verb.proname || '_impl'
        and private.proargtypes = verb.proargtypes and private.proargnames is not distinct
            from verb.proargnames and private.prorettype = verb.prorettype
where verb.pronamespace = 'public'::regnamespace;

select is_empty($$ select v.verb from verbs as v where (v.inside).oid is null or not (v.inside).prosecdef $$, 'each has its private side');
select is_empty(
    $$ select v.verb from verbs as v
    where (v.outside).prosecdef or not (v.outside).proretset or (v.outside).prolang <> (select l.oid from pg_language as l where l.lanname = 'sql')
        or regexp_replace((v.outside).prosrc, '\s+', ' ', 'g') not like ' select * from enrichment.' || (v.outside).proname || '_impl(%) ' $$,
    'each is one select as its caller, and answers with rows'
);
select is_empty(
    $$ select v.verb, role
    from verbs as v
    cross join unnest(array['authenticated', 'service_role']) as role
    where has_function_privilege(role, (v.outside).oid, 'execute') <> has_function_privilege(role, (v.inside).oid, 'execute') $$,
    'both sides are granted to the same roles'
);
select is_empty($$ select (v.outside).proname from verbs as v group by 1 having count(*) > 1 $$, 'no name has two signatures');

select * from finish();
rollback;
