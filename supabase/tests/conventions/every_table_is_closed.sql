-- Every table has row level security, API roles write to none of ours, and private ones are not even read.
begin;
select plan(4);

create temp table ours as
select c.oid, c.oid::regclass::text as name, c.relkind, c.relrowsecurity, c.relnamespace = 'enrichment'::regnamespace as is_private, c.reloptions
from pg_class as c
where c.relkind in ('r', 'v', 'p')
    and (c.relnamespace = 'enrichment'::regnamespace or c.oid in ('public.enrichment_queue'::regclass, 'public.enrichment_audit_log'::regclass));

select is_empty(
    $$ select c.oid::regclass from pg_class as c
    where c.relnamespace in ('public'::regnamespace, 'enrichment'::regnamespace) and c.relkind in ('r', 'p') and not c.relrowsecurity $$,
    'each has row level security'
);
select is_empty(
    $$ select o.name, role, privilege from ours as o
    cross join unnest(array['anon', 'authenticated', 'service_role']) as role
    cross join unnest(array['insert', 'update', 'delete', 'truncate', 'references', 'trigger']) as privilege
    where has_table_privilege(role, o.oid, privilege) $$,
    'none is written by an API role'
);
select is_empty(
    $$ select o.name, role from ours as o
    cross join unnest(array['anon', 'authenticated', 'service_role']) as role
    where o.is_private and has_any_column_privilege(role, o.oid, 'select') $$,
    'private ones are read by none'
);
select is_empty(
    $$ select o.name from ours as o where o.relkind = 'v' and not coalesce(o.reloptions @> array['security_invoker=true'], false) $$,
    'a view looks with the eyes of who asks'
);

select * from finish();
rollback;
