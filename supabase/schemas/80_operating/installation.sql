-- Whether what was installed is still there and whole: verbs, function bodies, row level security, the host's columns we rely on, and
-- whether readers hear of changes. health.sql asks these first.

create function enrichment.health_of_verbs(verbs jsonb)
returns setof enrichment.health_check
language sql stable set search_path = ''
as $$
    with missing as (
        select string_agg(wanted.key, ', ' order by wanted.key) as names
        from jsonb_each(health_of_verbs.verbs) as wanted
        where not exists (
            select 1 from pg_catalog.pg_proc as p
            where p.pronamespace = 'public'::regnamespace and p.proname = wanted.key
                and to_jsonb(coalesce(p.proargnames, '{}')) @> wanted.value
        )
    )

    select
        'migrations',
        case when m.names is null and to_regprocedure('enrichment.schedule_jobs()') is not null then 'ok' else 'fail' end,
        case
            when m.names is not null then 'these verbs are missing or of another version: ' || m.names
            when to_regprocedure('enrichment.schedule_jobs()') is null then 'the last migration is missing: nothing is scheduled'
            else 'every verb the client calls is there'
        end,
        case
            when m.names is not null or to_regprocedure('enrichment.schedule_jobs()') is null
                then 'book-enrichment migrate --restore makes them as released'
        end
    from missing as m
$$;
comment on function enrichment.health_of_verbs(jsonb) is
'Whether public has each verb with at least the named parameters ({"claim_enrichment": ["worker_name", "batch_size"], …}), and the last migration ran.';

create function enrichment.health_of_objects(objects jsonb)
returns setof enrichment.health_check
language sql stable set search_path = ''
as $$
    with existing (name, digest) as (
        select
            format('%s.%s', p.pronamespace::regnamespace, p.proname),
            md5(p.prosrc || case when p.prosecdef then ' security definer' else '' end)
        from pg_catalog.pg_proc as p
        where p.pronamespace in ('enrichment'::regnamespace, 'public'::regnamespace)
        union all
        select format('%s %s.%s', case c.relkind when 'v' then 'view' else 'index' end, c.relnamespace::regnamespace, c.relname), ''
        from pg_catalog.pg_class as c
        where c.relnamespace in ('enrichment'::regnamespace, 'public'::regnamespace) and c.relkind in ('v', 'i')
        union all
        select 'trigger ' || t.tgname, '' from pg_catalog.pg_trigger as t where t.tgenabled <> 'D'
        union all
        select 'policy ' || p.polname, '' from pg_catalog.pg_policy as p
    ),

    changed as (
        select string_agg(wanted.key, ', ' order by wanted.key) as names
        from jsonb_each_text(health_of_objects.objects) as wanted
        where not exists (select 1 from existing as e where e.name = wanted.key and e.digest = wanted.value)
    )

    select
        'functions', case when c.names is null then 'ok' else 'warn' end,
        case when c.names is null then 'as released' else 'changed by hand, or missing: ' || c.names end,
        case when c.names is not null then 'book-enrichment migrate --restore makes them as released; what you changed is lost then' end
    from changed as c
    where health_of_objects.objects <> '{}'
$$;
comment on function enrichment.health_of_objects(jsonb) is
'Whether each function reads as the client''s version has it, and its views, indexes, triggers and policies are there: objects is {"schema.function": "md5 of its body and, where it is one, of \" security definer\"", "view schema.name": "", "trigger name": "", …}. No line where none is named.';

create function enrichment.host_columns()
returns table (table_name text, column_name text)
language sql immutable set search_path = ''
as $$
    select expected.table_name, column_name
    from (values
        ('users', 'id handle'),
        ('works', 'id title created_at updated_at'),
        ('works', 'enrichment_status enrichment_confidence last_enriched_at'),
        ('editions', 'id work_id cover_url created_at updated_at'),
        ('authors', 'id name created_at'),
        ('work_authors', 'work_id author_id'),
        ('external_ids', 'entity_type entity_id provider provider_id'),
        ('source_records', 'provider entity_type provider_id raw fetched_at'),
        ('library_items', 'id user_id work_id preferred_edition_id status visibility rating tags created_at')
    ) as expected (table_name, column_names)
    cross join lateral unnest(string_to_array(expected.column_names, ' ')) as column_name
    union all
    select f.table_name, f.column_name from enrichment.fields() as f
$$;
comment on function enrichment.host_columns() is 'The columns of the library in public that we read or write; others are the host''s own business.';

create function enrichment.health_of_host()
returns setof enrichment.health_check
language sql stable set search_path = ''
as $$
    with missing as (
        select string_agg(
            format('%s.%s', wanted.table_name, wanted.column_name), ', ' order by wanted.table_name, wanted.column_name
        ) as names
        from enrichment.host_columns() as wanted
        where not exists (
            select 1 from pg_catalog.pg_attribute as a
            where a.attrelid = to_regclass('public.' || wanted.table_name) and a.attname = wanted.column_name and not a.attisdropped
        )
    )

    select
        'library', case when m.names is null then 'ok' else 'fail' end,
        case when m.names is null then 'every column we read or write is there' else 'not there any more: ' || m.names end,
        case when m.names is not null then 'imports, sweep and worker fail without: bring them back, under these names' end
    from missing as m
$$;
comment on function enrichment.health_of_host() is 'Whether the columns of the host''s tables that we rely on are there.';

create function enrichment.health_of_tables()
returns setof enrichment.health_check
language sql stable set search_path = ''
as $$
    with open_tables as (
        select string_agg(c.oid::regclass::text, ', ' order by c.oid::regclass::text) as names
        from pg_catalog.pg_class as c
        where c.relkind = 'r' and not c.relrowsecurity and (
            c.relnamespace = 'enrichment'::regnamespace
            or c.oid in (to_regclass('public.enrichment_queue'), to_regclass('public.enrichment_audit_log'))
        )
    )

    select
        'row security', case when t.names is null then 'ok' else 'fail' end,
        case when t.names is null then 'is on for every table of ours' else 'is off for: ' || t.names end,
        case when t.names is not null then format('alter table %s enable row level security, for each', split_part(t.names, ', ', 1)) end
    from open_tables as t
$$;
comment on function enrichment.health_of_tables() is 'Whether row level security is on for our tables.';

create function enrichment.health_of_rights()
returns setof enrichment.health_check
language sql stable set search_path = ''
as $$
    with functions as (
        select p.oid, p.oid::regprocedure::text as name, p.pronamespace = 'public'::regnamespace as is_verb, p.proconfig
        from pg_catalog.pg_proc as p
        where p.pronamespace = 'enrichment'::regnamespace or (
            p.pronamespace = 'public'::regnamespace and exists (
                select from pg_catalog.pg_proc as twin
                where twin.pronamespace = 'enrichment'::regnamespace and twin.proname = p.proname || '_impl'
                    and twin.proargtypes = p.proargtypes
            )
        )
    ),

    tables as (
        select c.oid, c.oid::regclass::text as name
        from pg_catalog.pg_class as c
        where c.relkind in ('r', 'v') and (
            c.relnamespace = 'enrichment'::regnamespace
            or c.oid in (to_regclass('public.enrichment_queue'), to_regclass('public.enrichment_audit_log'))
        )
    ),

    wrong (what, name) as (
        select 'open to visitors', f.name from functions as f where has_function_privilege('anon', f.oid, 'execute')
        union all
        select 'open to visitors', t.name from tables as t where has_any_column_privilege('anon', t.oid, 'select, insert, update')
        union all
        select 'opened by a policy', p.polname::text from pg_catalog.pg_policy as p join tables as t on t.oid = p.polrelid
        where p.polname not in ('enrichment_queue_of_own_library', 'enrichment_audit_log_of_own_library')
        union all
        select 'closed to everybody', f.name from functions as f
        where f.is_verb and not has_function_privilege('service_role', f.oid, 'execute')
            and not has_function_privilege('authenticated', f.oid, 'execute')
        union all
        select 'closed to readers', 'schema enrichment' where not has_schema_privilege('authenticated', 'enrichment', 'usage')
        union all
        select 'without search_path', f.name from functions as f where not coalesce(f.proconfig @> array['search_path=""'], false)
    ),

    told as (
        select string_agg(w.what || ': ' || w.names, '; ' order by w.what) as message
        from (select wrong.what, string_agg(wrong.name, ', ' order by wrong.name) as names from wrong group by wrong.what) as w
    )

    select
        'rights', case when told.message is null then 'ok' else 'fail' end,
        coalesce(told.message, 'visitors may do nothing, every verb is somebody''s'),
        case when told.message is not null then 'book-enrichment migrate --restore; a policy of your own: drop it' end
    from told
$$;
comment on function enrichment.health_of_rights() is
'Whether something of ours was opened to visitors or by a policy, a verb closed to everybody, or a function freed of its search_path.';

create function enrichment.reader_obstacle()
returns text
language sql stable set search_path = ''
as $$
    select case
        when not has_function_privilege('authenticated', 'enrichment.is_on_own_shelf(uuid)', 'execute')
            then 'permission denied for function is_on_own_shelf'
        else (
            select case
                when not has_column_privilege('authenticated', wanted.relation, 'id', 'select')
                    then 'permission denied for table ' || wanted.name
                else format('the policy %s_of_own_library on %s is gone, or another', wanted.name, wanted.name)
            end
            from unnest(array['enrichment_queue', 'enrichment_audit_log']) as named (name)
            cross join lateral (select named.name, to_regclass('public.' || named.name) as relation) as wanted
            where not has_column_privilege('authenticated', wanted.relation, 'id', 'select') or not exists (
                select from pg_catalog.pg_policy as p
                where p.polrelid = wanted.relation and p.polname = wanted.name || '_of_own_library' and p.polcmd = 'r'
                    and p.polroles = array['authenticated'::regrole::oid]
                    and pg_get_expr(p.polqual, p.polrelid) = 'enrichment.is_on_own_shelf(work_id)'
            )
            limit 1
        )
    end
$$;
comment on function enrichment.reader_obstacle() is
'What keeps a reader from seeing the own rows of queue and audit log: a right, or a policy that is not ours any more; null where nothing does.';

create function enrichment.health_of_realtime()
returns setof enrichment.health_check
language plpgsql stable set search_path = ''
as $$
declare
    is_there boolean := exists (select 1 from pg_catalog.pg_publication as p where p.pubname = 'supabase_realtime');
    is_published boolean := exists (
        select 1 from pg_catalog.pg_publication_tables as t
        where t.pubname = 'supabase_realtime' and t.schemaname = 'public' and t.tablename = 'enrichment_queue'
    );
    obstacle text := enrichment.reader_obstacle();
begin
    return query
    select
        'realtime', case when obstacle is not null or (is_there and not is_published) then 'warn' else 'ok' end,
        case
            when obstacle is not null then 'readers cannot look into the queue, so Realtime tells nobody: ' || obstacle
            when not is_there then 'no Realtime here: pages ask again every few seconds'
            when is_published then 'pages see changes at once'
            else 'pages ask again every few seconds, because enrichment_queue is not published'
        end,
        case
            when obstacle is not null then 'book-enrichment migrate --restore grants it again'
            when is_there and not is_published then 'select enrichment.publish_queue()'
        end;
end
$$;
comment on function enrichment.health_of_realtime() is 'Whether Realtime publishes the queue, and whether a reader may see what it publishes.';
