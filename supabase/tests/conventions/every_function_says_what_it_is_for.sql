-- Whatever can be called from the dashboard, and what it answers with, has a comment; a verb's private side is explained by the verb.
begin;
select plan(4);

select is_empty(
    $$ select p.oid::regprocedure
    from pg_proc as p
    where (p.pronamespace = 'public'::regnamespace or (p.pronamespace = 'enrichment'::regnamespace and p.proname not like '%\_impl'))
        and coalesce(obj_description(p.oid, 'pg_proc'), '') = '' $$,
    'no function without a comment'
);
select is_empty(
    $$ select c.oid::regclass
    from pg_class as c
    where (c.relnamespace = 'enrichment'::regnamespace or c.oid in ('public.enrichment_queue'::regclass, 'public.enrichment_audit_log'::regclass))
        and c.relkind in ('r', 'v') and coalesce(obj_description(c.oid, 'pg_class'), '') = '' $$,
    'no table and no view'
);
select is_empty(
    $$ select a.attname from pg_attribute as a
    where a.attrelid in ('enrichment.settings'::regclass, 'public.works'::regclass) and a.attnum > 0
        and (a.attrelid = 'enrichment.settings'::regclass or a.attname in ('enrichment_status', 'enrichment_confidence', 'last_enriched_at'))
        and coalesce(col_description(a.attrelid, a.attnum), '') = '' $$,
    'no setting and no column we add to works'
);
select is_empty(
    $$ select t.oid::regtype from pg_type as t
    left join pg_class as c on c.oid = t.typrelid
    where t.typnamespace = 'enrichment'::regnamespace and (t.typtype = 'e' or c.relkind = 'c') and coalesce(obj_description(t.oid, 'pg_type'), '') = '' $$,
    'no type'
);

select * from finish();
rollback;
