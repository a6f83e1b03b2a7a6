-- Whatever can be called from the dashboard has a comment; a verb's private side is explained by the verb.
begin;
select plan(3);

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

select * from finish();
rollback;
