-- Takes book enrichment out of a database again: its jobs, verbs, tables, types and columns, and the replies it had stored. The host's
-- tables and rows stay, and so does what enrichment filled in. What the installation brought because the project had none (tables of the
-- library, pg_cron, a bucket) goes too, unless somebody uses it. Where something of the host's is built on our tables or columns, it
-- stops with an error and nothing is removed. All or nothing, and running it twice is fine. `book-enrichment uninstall` runs this file.
-- A schema enrichment that is not ours stops it, too.
--
-- With `set enrichment.keep_data = 'on'` before it, everything people decided is copied to schema enrichment_kept, the stored replies
-- and the three columns on works stay, and the next `book-enrichment migrate` takes it all back.

do $$
declare
    keeps_data constant boolean := coalesce(current_setting('enrichment.keep_data', true), '') = 'on';
    derived constant text[] := array['parsed_works', 'parsed_records', 'candidates', 'schema_versions'];
    our_tables constant text[] := derived || array[
        'settings', 'providers', 'field_locks', 'filled_fields', 'rejected_candidates', 'imports', 'import_rows', 'stored_covers',
        'cover_storage', 'cover_backfill', 'placeholder_images', 'cover_queue'
    ];
    -- Its comment tells our schema from one of the host's that bears the same name.
    is_installed constant boolean := coalesce(
        obj_description(to_regnamespace('enrichment'), 'pg_namespace') like 'Private side of book enrichment:%', false
    );
    jobs text[] := array['enrichment-sweep', 'enrichment-reset-stale', 'enrichment-prune'];  -- before version 3, which says them itself
    ours oid[];
    builds_on_us text;
    steps text[] := '{}';
    brought text[] := array['column enrichment_status', 'column enrichment_confidence', 'column last_enriched_at'];
    at_version integer := 1;
    object record;
    is_used boolean;
begin
    perform set_config('search_path', '', true);  -- names then come with their schema
    if to_regnamespace('enrichment') is not null and not is_installed then
        raise exception 'schema enrichment is not ours: nothing was taken out' using hint = 'ours has a comment that says so; was it changed?';
    end if;
    select coalesce(array_agg(c.oid), '{}') into ours
    from pg_catalog.pg_class as c
    where is_installed and (
        (c.relnamespace = to_regnamespace('enrichment') and (c.relkind <> 'r' or c.relname = any(our_tables)))
        or c.oid in (to_regclass('public.enrichment_queue'), to_regclass('public.enrichment_audit_log'))
    );

    -- A cascade would take such an object along without a word.
    with verb as (
        select p.oid from pg_catalog.pg_proc as p
        where p.pronamespace = to_regnamespace('enrichment') or (
            p.pronamespace = to_regnamespace('public') and exists (
                select from pg_catalog.pg_proc as twin
                where twin.pronamespace = to_regnamespace('enrichment') and twin.proname = p.proname || '_impl'
                    and twin.proargtypes = p.proargtypes
            )
        )
    ),

    own (class, object) as (
        select 'pg_class'::regclass, unnest(ours)
        union all
        select 'pg_proc'::regclass, verb.oid from verb
        union all
        select 'pg_type'::regclass, t.oid from pg_catalog.pg_type as t
        left join pg_catalog.pg_type as element on element.oid = t.typelem
        where t.typnamespace = to_regnamespace('enrichment') or t.typrelid = any(ours) or element.typrelid = any(ours)
        union all
        select 'pg_rewrite'::regclass, r.oid from pg_catalog.pg_rewrite as r where r.ev_class = any(ours)
        union all
        select 'pg_constraint'::regclass, c.oid from pg_catalog.pg_constraint as c where c.conrelid = any(ours)
        union all
        select 'pg_trigger'::regclass, t.oid from pg_catalog.pg_trigger as t where t.tgrelid = any(ours)
        union all
        select 'pg_policy'::regclass, p.oid from pg_catalog.pg_policy as p where p.polrelid = any(ours)
        union all
        select 'pg_attrdef'::regclass, d.oid from pg_catalog.pg_attrdef as d where d.adrelid = any(ours)
    )

    select string_agg(distinct foreigner.name, ', ') into builds_on_us
    from (
        select 'table ' || c.oid::regclass as name
        from pg_catalog.pg_class as c
        where is_installed and c.relnamespace = to_regnamespace('enrichment') and c.relkind in ('r', 'p') and c.relname <> all(our_tables)
        union all
        select case
            when r.oid is not null then 'view ' || r.ev_class::regclass
            when d.classid = 'pg_class'::regclass then pg_describe_object(d.classid, d.objid, 0)
            else pg_describe_object(d.classid, d.objid, d.objsubid)
        end
        from pg_catalog.pg_depend as d
        left join pg_catalog.pg_rewrite as r on d.classid = 'pg_rewrite'::regclass and r.oid = d.objid
        where is_installed and d.deptype = 'n' and (d.classid, d.objid) not in (select own.class, own.object from own)
            and d.classid in (
                'pg_class'::regclass, 'pg_proc'::regclass, 'pg_type'::regclass, 'pg_rewrite'::regclass, 'pg_constraint'::regclass,
                'pg_trigger'::regclass, 'pg_policy'::regclass, 'pg_attrdef'::regclass
            )
            and (
                (d.refclassid, d.refobjid) in (select own.class, own.object from own)
                or (d.refclassid, d.refobjid, d.refobjsubid) in (
                    select 'pg_class'::regclass, a.attrelid, a.attnum from pg_catalog.pg_attribute as a
                    where not keeps_data and a.attrelid = to_regclass('public.works') and not a.attisdropped
                        and a.attname in ('enrichment_status', 'enrichment_confidence', 'last_enriched_at')
                )
            )
    ) as foreigner;
    if builds_on_us is not null then
        raise exception 'book enrichment is still in use by: %', builds_on_us using hint = 'drop these first';
    end if;

    if to_regclass('enrichment.schema_versions') is not null then
        select array_agg(v.name), max(v.version) into steps, at_version from enrichment.schema_versions as v;
        select coalesce(array_agg(thing), '{}') into brought from enrichment.schema_versions as v cross join unnest(v.brought) as thing;
    elsif to_regclass('enrichment_kept.rows') is not null then
        select coalesce(array_agg(thing), '{}') into brought
        from enrichment_kept.rows as k cross join jsonb_array_elements_text(k.kept -> 'brought') as thing
        where k.table_name = '';
    end if;

    if keeps_data and is_installed then
        if to_regnamespace('enrichment_kept') is not null then
            raise exception 'schema enrichment_kept holds what an earlier uninstall kept'
                using hint = 'drop it if you do not want that any more; book-enrichment migrate takes it back into a new installation';
        end if;
        create schema enrichment_kept;
        revoke all on schema enrichment_kept from public, anon, authenticated, service_role;
        create table enrichment_kept.rows (table_name text not null, version integer not null, kept jsonb not null);
        alter table enrichment_kept.rows enable row level security;
        revoke all on enrichment_kept.rows from public, anon, authenticated, service_role;
        comment on table enrichment_kept.rows is 'What book enrichment knew when it was uninstalled with its data kept: the row of its mark, then rows of its tables.';
        insert into enrichment_kept.rows values ('', at_version, jsonb_build_object('brought', brought));
        for object in select c.oid::regclass::text as name from pg_catalog.pg_class as c where c.oid = any(ours) and c.relkind = 'r' and c.relname <> all(derived) loop
            execute format('insert into enrichment_kept.rows select %L, %s, to_jsonb(t) from %s as t', object.name, at_version, object.name);
        end loop;
    end if;

    if is_installed and to_regclass('cron.job') is not null then
        if to_regprocedure('enrichment.jobs()') is not null then
            execute 'select array_agg(job.name) from enrichment.jobs() as job' into jobs;
        end if;
        for object in
            select job.jobname as name from cron.job where job.jobname = any(jobs)
        loop
            begin
                perform cron.unschedule(object.name);
            exception
                when others then
                    raise notice 'job % stays, and will fail: unschedule it as the role it belongs to (%)', object.name, sqlerrm;
            end;
        end loop;
    end if;

    if is_installed then
        for object in
            select verb.oid::regprocedure as name
            from pg_catalog.pg_proc as verb
            join pg_catalog.pg_proc as twin
                on twin.pronamespace = to_regnamespace('enrichment') and twin.proname = verb.proname || '_impl'
                    and twin.proargtypes = verb.proargtypes
            where verb.pronamespace = to_regnamespace('public')
        loop
            execute format('drop function %s', object.name);
        end loop;
        drop schema enrichment cascade;
        drop table if exists public.enrichment_audit_log, public.enrichment_queue;
    end if;
    if to_regclass('supabase_migrations.schema_migrations') is not null then
        -- Histories of older CLIs have no names.
        delete from supabase_migrations.schema_migrations as m where m.version || '_' || (to_jsonb(m) ->> 'name') = any(steps);
    end if;
    if keeps_data then
        return;
    end if;

    if not is_installed and to_regclass('enrichment_kept.rows') is null then
        return;
    end if;
    if to_regclass('enrichment_kept.rows') is not null then
        drop schema enrichment_kept cascade;
        raise notice 'what an earlier uninstall had kept is gone too';
    end if;
    for object in select substr(thing, 8) as name from unnest(brought) as thing where thing like 'column %' loop
        execute format('alter table if exists public.works drop column if exists %I', object.name);
    end loop;
    if to_regclass('public.source_records') is not null then
        delete from public.source_records as s where s.entity_type in ('isbn_lookup', 'title_lookup');
    end if;

    for object in select substr(thing, 7) as name from unnest(brought) as thing where thing like 'table %' and to_regclass(substr(thing, 7)) is not null loop
        execute format('select exists (select from %s)', object.name) into is_used;
        exit when is_used;
    end loop;
    if is_used then
        raise notice 'the tables of the library stay, because they hold rows: they are your app''s now';
    elsif is_used is not null then
        begin
            execute (select 'drop table if exists ' || string_agg(substr(thing, 7), ', ') from unnest(brought) as thing where thing like 'table %');
            if 'table public.library_items' = any(brought) then
                drop type public.library_item_status, public.library_item_visibility;
            end if;
        exception
            when others then
                raise notice 'the tables of the library stay: %', sqlerrm;
        end;
    end if;
    if 'bucket covers' = any(brought) and to_regclass('storage.buckets') is not null then
        begin
            delete from storage.buckets as b where b.id = 'covers' and not exists (select from storage.objects as o where o.bucket_id = b.id);
        exception
            when others then
                raise notice 'the bucket covers stays: %', sqlerrm;
        end;
    end if;
    if 'extension pg_cron' = any(brought) and to_regclass('cron.job') is not null then
        begin
            if not exists (select from cron.job) then
                drop extension pg_cron;
            end if;
        exception
            when others then
                raise notice 'the extension pg_cron stays: %', sqlerrm;
        end;
    end if;
end
$$;

notify pgrst, 'reload schema';
