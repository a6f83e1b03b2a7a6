-- Takes book enrichment out of a database again: its jobs, verbs, tables, types and columns, and the replies it had stored. The host's
-- tables and rows stay, and so does what enrichment filled in; so does pg_cron, which others may use. All or nothing, and running it
-- twice is fine. Where something of the host's is built on our tables or columns, it stops with an error and nothing is removed.

do $$
declare
    builds_on_us text;
begin
    -- A cascade would take such a view along without a word.
    select string_agg(distinct theirs.oid::regclass::text, ', ') into builds_on_us
    from pg_catalog.pg_depend as d
    join pg_catalog.pg_class as ours on ours.oid = d.refobjid
    join pg_catalog.pg_rewrite as r on d.classid = 'pg_rewrite'::regclass and r.oid = d.objid
    join pg_catalog.pg_class as theirs on theirs.oid = r.ev_class
    where theirs.relnamespace is distinct from to_regnamespace('enrichment') and (
        ours.relnamespace = to_regnamespace('enrichment')
        or ours.oid in (to_regclass('public.enrichment_queue'), to_regclass('public.enrichment_audit_log'))
    );
    if builds_on_us is not null then
        raise exception 'book enrichment is still in use by: %', builds_on_us using hint = 'drop these views first';
    end if;

    if to_regclass('cron.job') is not null then
        perform cron.unschedule(job.jobname)
        from cron.job
        where job.jobname in ('enrichment-sweep', 'enrichment-reset-stale', 'enrichment-prune');
    end if;

    -- The verbs in public go with the schema, because they answer in its types.
    drop schema if exists enrichment cascade;
    drop table if exists public.enrichment_audit_log, public.enrichment_queue;
    alter table if exists public.works
    drop column if exists enrichment_status,
    drop column if exists enrichment_confidence,
    drop column if exists last_enriched_at;

    if to_regclass('public.source_records') is not null then
        delete from public.source_records as s where s.entity_type in ('isbn_lookup', 'title_lookup');
    end if;
    if to_regclass('supabase_migrations.schema_migrations') is not null then
        -- So that the migrations can be applied again.
        delete from supabase_migrations.schema_migrations as m where m.version like '2026022012____';
    end if;
end
$$;

notify pgrst, 'reload schema';
