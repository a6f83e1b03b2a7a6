-- Book enrichment, version 3: rows say whether they can be undone, refusals of settings say what holds, and words and numbers have one home.

do $$
begin
    if to_regclass('enrichment.schema_versions') is null then
        raise exception 'book enrichment is not at version 2 here. `book-enrichment migrate` brings it there; run that first';
    elsif exists (select from enrichment.schema_versions as v where v.version = 3) then
        raise exception using message = (
            select 'this step is applied here already, by `book-enrichment migrate`. Tell the CLI so: '
                || 'supabase migration repair --status applied ' || string_agg(split_part(v.name, '_', 1), ' ' order by v.version)
            from enrichment.schema_versions as v
        );
    elsif not exists (select from enrichment.schema_versions as v where v.version = 2) then
        raise exception 'book enrichment is not at version 2 here: apply the steps in their order';
    end if;
end
$$;

set check_function_bodies = off;

comment on column enrichment.settings.cover_budget_bytes is
'Bytes all stored covers may take, 80 % of the free tier''s 1 GB (819 MB); once reached, new covers stay hot-linked (storage_budget).';

comment on column enrichment.settings.database_budget_bytes is
'Bytes the whole database may take: the free plan''s 500 MB, beyond which Supabase makes it read-only. Set it to what your plan has; enrichment_usage() and enrichment_health() measure against it.';

create or replace function enrichment.configure_enrichment_impl(changes jsonb)
returns setof enrichment.setting
language plpgsql security definer set search_path = ''
as $$
declare
    unknown_names text;
    changed enrichment.settings;
    broken_rule text;
begin
    if jsonb_typeof(configure_enrichment_impl.changes) is distinct from 'object' then
        perform enrichment.refuse('PT422', 'changes is not a JSON object', 'send {"name": value, …}');
    end if;

    select string_agg(name, ', ' order by name) into unknown_names
    from jsonb_object_keys(configure_enrichment_impl.changes) as name
    where name not in (select s.name from enrichment.list_settings() as s);
    if unknown_names is not null then
        perform enrichment.refuse('PT422', 'unknown setting: ' || unknown_names, 'call configure_enrichment() for the names');
    end if;

    if configure_enrichment_impl.changes <> '{}' then
        select (jsonb_populate_record(s, configure_enrichment_impl.changes)).* into changed
        from enrichment.settings as s
        for update;
        -- Names of columns by now, each quoted by format, which the check does not see through the aggregate.
        -- @plpgsql_check_options: security_warnings = off
        execute (
            select
                'update enrichment.settings as s set ' || string_agg(format('%1$I = ($1).%1$I', name), ', ' order by name)
                || ' where s is distinct from $1'
            from jsonb_object_keys(configure_enrichment_impl.changes) as name
        ) using changed;
    end if;

    return query select * from enrichment.list_settings();
exception
    when check_violation then
        get stacked diagnostics broken_rule = constraint_name;
        perform enrichment.refuse(
            'PT422', 'a setting cannot take that value: ' || enrichment.setting_rule(broken_rule), 'call configure_enrichment() for what each setting means'
        );
    when not_null_violation or data_exception then
        perform enrichment.refuse('PT422', 'a setting cannot take that value: ' || sqlerrm, 'call configure_enrichment() for what each setting means');
end
$$;

create function enrichment.setting_rule(constraint_name text)
returns text
language sql stable set search_path = ''
as $$
    -- A constraint of one column has the name Postgres gave it, which says nothing; one that was given a name says it by that.
    select case
        when cardinality(c.conkey) = 1 and c.conname like 'settings\_%\_check' then 'it takes ' || regexp_replace(
            replace(replace(pg_get_expr(c.conbin, c.conrelid, true), '::text', ''), ' AND ', ' and '), '= ANY \(ARRAY\[(.*)\]\)', 'in (\1)'
        )
        else replace(c.conname, '_', ' ')
    end
    from pg_catalog.pg_constraint as c
    where c.conrelid = 'enrichment.settings'::regclass and c.conname = setting_rule.constraint_name
$$;

comment on function enrichment.setting_rule(text) is
'What a check constraint of the settings demands, for the message of a refusal: "it takes batch_size >= 1 and batch_size <= 100".';

create or replace function enrichment.enqueue_works(
    work_ids uuid[], edition_ids uuid[], trigger_source enrichment.trigger_source, triggered_by uuid, priority integer, import_id uuid
)
returns setof enrichment.enqueue_outcome
language plpgsql set search_path = ''
as $$
declare
    waits_for_switch boolean := enqueue_works.trigger_source <> 'manual_bulk'
        and not (select s.auto_enabled from enrichment.settings as s);
    -- Lists go by id: rows stand there in the order in which their works were named, whatever order they are written in.
    minted uuid[] := array(select enrichment.uuid_v7() as id from unnest(enqueue_works.work_ids) order by id);
    new_ids uuid[];
    complete_ids uuid[];
    known_miss_ids uuid[];
begin
    perform enrichment.refresh_parsed_works(coalesce(enqueue_works.work_ids, '{}'));

    with asked as (
        select distinct on (a.work_id) a.work_id, coalesce(a.edition_id, c.edition_id) as edition_id, a.place
        from unnest(enqueue_works.work_ids, enqueue_works.edition_ids) with ordinality as a (work_id, edition_id, place)
        left join enrichment.choose_editions(enqueue_works.work_ids, enqueue_works.triggered_by) as c on c.work_id = a.work_id
        order by a.work_id, a.edition_id
    ),

    inserted as (
        insert into public.enrichment_queue as q (
            id, work_id, edition_id, triggered_by, import_id, trigger_source, priority, max_attempts, next_attempt_after, wait_reason, scored_at
        )
        select
            minted[asked.place], w.id, asked.edition_id, enqueue_works.triggered_by, enqueue_works.import_id, enqueue_works.trigger_source,
            enqueue_works.priority, (select s.max_attempts from enrichment.settings as s),
            case when waits_for_switch then 'infinity' else now() end,
            case when waits_for_switch then 'auto_disabled' else 'queued' end as wait_reason,
            (select max(earlier.scored_at) from public.enrichment_queue as earlier where earlier.work_id = w.id)
        from asked
        join public.works as w on w.id = asked.work_id
        where not exists (select 1 from public.enrichment_queue as r where r.work_id = w.id and (r.is_open or r.is_in_review))
        order by w.id
        on conflict (work_id) where is_open do nothing
        returning q.id
    )

    select coalesce(array_agg(inserted.id), '{}') into new_ids from inserted;

    -- While the insert waited for somebody else's row, that one may have come to review; a second could never join it there.
    delete from public.enrichment_queue as q
    where q.id = any(new_ids) and exists (select 1 from public.enrichment_queue as r where r.work_id = q.work_id and r.is_in_review);
    if found then
        new_ids := array(select q.id from public.enrichment_queue as q where q.id = any(new_ids));
    end if;

    select coalesce(array_agg(new_id), '{}') into complete_ids
    from unnest(new_ids) as new_id
    where new_id not in (select gaps.queue_id from enrichment.wanted_fields(new_ids) as gaps);

    select coalesce(array_agg(q.id), '{}') into known_miss_ids
    from public.enrichment_queue as q
    where q.id = any(new_ids) and q.id <> all(complete_ids)
        and q.id not in (select n.queue_id from enrichment.needed_lookups(new_ids) as n)
        and q.id not in (
            select r.queue_id from enrichment.queue_records(new_ids) as r where r.fetched_at > coalesce(r.scored_at, '-infinity') and not r.is_miss
        );

    with open_rows as (
        select q.id
        from public.enrichment_queue as q
        where q.work_id = any(enqueue_works.work_ids) and q.is_open and q.id <> all(new_ids) and (
            q.priority > enqueue_works.priority
            or (q.wait_reason = 'auto_disabled' and enqueue_works.trigger_source = 'manual_bulk')
        )
        order by q.id
        for update skip locked
    )

    update public.enrichment_queue as q
    set priority = least(q.priority, enqueue_works.priority),
        trigger_source = case when enqueue_works.trigger_source = 'manual_bulk' then 'manual_bulk' else q.trigger_source end,
        triggered_by = coalesce(q.triggered_by, enqueue_works.triggered_by),
        wait_reason = case when q.wait_reason = 'auto_disabled' and not waits_for_switch then 'queued' else q.wait_reason end,
        next_attempt_after = case
            when q.wait_reason = 'auto_disabled' and not waits_for_switch then now() else q.next_attempt_after
        end,
        updated_at = now()
    from open_rows
    where q.id = open_rows.id;
    if found then
        perform pg_notify('enrichment', 'queued');
    end if;

    return query
    select
        a.work_id,
        case
            when w.id is null then 'unknown'
            when q.id = any(complete_ids) then 'complete'
            when q.id = any(known_miss_ids) then 'known_miss'
            when q.id = any(new_ids) then 'enqueued'
            when q.is_in_review then 'in_review'
            else 'already_open'
        end,
        case when q.id = any(complete_ids || known_miss_ids) then null else q.id end
    from unnest(enqueue_works.work_ids) with ordinality as a (work_id, place)
    left join public.works as w on w.id = a.work_id
    left join public.enrichment_queue as q on q.work_id = w.id and (q.is_open or q.is_in_review)
    order by a.place;

    delete from public.enrichment_queue as q where q.id = any(complete_ids || known_miss_ids);
end
$$;

create function enrichment.is_undoable(reader uuid, undone public.enrichment_queue)
returns boolean
language plpgsql stable set search_path = ''
as $$
begin
    return not undone.is_open and undone.undone_at is null and enrichment.may_undo(is_undoable.reader, undone) and (
        undone.status = 'needs_review' or exists (select 1 from enrichment.logged_writes(array[undone.id], null, null))
    );
end
$$;

comment on function enrichment.is_undoable(uuid, public.enrichment_queue) is
'Whether undo_enrichment() would take this row back now for a reader (null: the service): it may be theirs to undo, has ended or is in review, was not undone, and wrote something or still asks.';

comment on column enrichment.stored_covers.storage_path is 'Within the bucket, as enrichment.cover_path() names it.';

create function enrichment.cover_path(sha256 text)
returns text
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    return 'openlibrary/' || left(cover_path.sha256, 32) || '.webp';
end
$$;

comment on function enrichment.cover_path(text) is 'Where an image lies within the bucket covers: under its own hash, so that the same image has one place.';

create or replace function enrichment.read_covers(results jsonb)
returns setof enrichment.answered_cover
language sql stable set search_path = ''
as $$
    select
        element.place::integer - 1,
        case when element.value ->> 'cover_id' ~ uuid_shape then (element.value ->> 'cover_id')::uuid end,
        case when element.value ->> 'claim_token' ~ uuid_shape then (element.value ->> 'claim_token')::uuid end,
        element.value ->> 'sha256', element.value ->> 'storage_path', element.value ->> 'cover_url', bytes, width, height,
        case
            when jsonb_typeof(element.value) <> 'object' then 'the element is not a JSON object'
            when coalesce(element.value ->> 'cover_id', '') !~ uuid_shape then 'cover_id is not a uuid'
            when coalesce(element.value ->> 'claim_token', '') !~ uuid_shape then 'claim_token is not a uuid'
            when coalesce(element.value ->> 'sha256', '') !~ '^[0-9a-f]{64}$' then 'sha256 has not 64 hexadecimal digits'
            when element.value ->> 'storage_path' is distinct from enrichment.cover_path(element.value ->> 'sha256')
                then 'storage_path is not ' || enrichment.cover_path('<32 digits of sha256>')
            when coalesce(element.value ->> 'cover_url', '') !~ '^https?://[^/@\s]+/storage/v1/object/public/covers/[^\s]+$'
                or right(element.value ->> 'cover_url', length(element.value ->> 'storage_path') + 1) <> '/' || (element.value ->> 'storage_path')
                then 'cover_url is not the public URL of storage_path'
            when bytes is null then format('bytes is not between 1 and %s (cover_image_bytes)', s.cover_image_bytes)
            when width is null or height is null then 'width or height is not between 2 and 4,000'
        end
    from jsonb_array_elements(read_covers.results) with ordinality as element (value, place)
    cross join enrichment.settings as s
    cross join lateral enrichment.json_integer(element.value -> 'bytes', 1, s.cover_image_bytes) as bytes
    cross join lateral enrichment.json_integer(element.value -> 'width', 2, 4000) as width
    cross join lateral enrichment.json_integer(element.value -> 'height', 2, 4000) as height
    cross join (values ('^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$')) as pattern (uuid_shape)
$$;

create or replace function enrichment.enrichment_covers_impl()
returns setof enrichment.cover_report
language sql stable security definer set search_path = '' set jit = off
as $$
    with open_rows as (
        select q.status, q.next_attempt_after, q.wait_reason from enrichment.cover_queue as q where q.is_open
    ),

    -- While works are still to be looked through, a claim may find something at any time.
    next_row as (
        select o.next_attempt_after, o.wait_reason from open_rows as o where o.status = 'pending' and o.next_attempt_after < 'infinity'
        union all
        select now(), 'backfill' as wait_reason from enrichment.cover_backfill as b where b.next_work_id is not null
        order by 1
        limit 1
    )

    select
        s.cover_mode, coalesce(g.wait_reason, n.wait_reason, waiting.reason), due.at,
        case when due.at is not null then round(greatest(extract(epoch from due.at - clock_timestamp()), 0), 3) end,
        (select count(*)::integer from open_rows as o where o.status = 'pending'),
        (select count(*)::integer from open_rows as o where o.status = 'in_progress'),
        g.images, g.bytes, s.cover_budget_bytes, s.cover_download_bytes, s.cover_image_bytes, s.cover_hosts,
        array(select p.digest from enrichment.placeholder_images as p order by p.digest)
    from enrichment.settings as s
    cross join enrichment.cover_gate as g
    left join next_row as n on true
    cross join lateral (select min(o.wait_reason) from open_rows as o where o.status = 'pending') as waiting (reason)
    cross join lateral (
        select nullif(
            case
                when g.wait_reason is null or n.next_attempt_after is null then n.next_attempt_after
                else greatest(n.next_attempt_after, g.available_at)
            end, 'infinity'
        )
    ) as due (at)
$$;

alter type enrichment.history_line add attribute is_undoable boolean;

create or replace function enrichment.enrichment_history_impl(work_id uuid)
returns setof enrichment.history_line
language plpgsql stable security definer set search_path = '' set jit = off
as $$
declare
    reader uuid := enrichment.acting_reader();
begin
    if not exists (select 1 from public.works as w where w.id = enrichment_history_impl.work_id) then
        perform enrichment.refuse('PT404', format('no work %s', enrichment_history_impl.work_id), 'work_id is an id of public.works');
    end if;
    perform enrichment.refuse_foreign_work(enrichment_history_impl.work_id);
    return query
    select
        a.id, a.enrichment_queue_id, a.action::text, a.provider::text, a.source_record,
        enrichment.source_url(a.provider, a.source_record ->> 'work_key'), a.confidence, a.fields_changed, a.match_details ->> 'sentence',
        a.actor is not distinct from reader, a.created_at,
        coalesce(a.action in ('auto_applied', 'approved') and enrichment.is_undoable(reader, q), false)
    from public.enrichment_audit_log as a
    left join public.enrichment_queue as q on q.id = a.enrichment_queue_id
    where a.work_id = enrichment_history_impl.work_id
    order by a.created_at desc, a.id desc
    limit 200;
end
$$;

alter type enrichment.listed_row add attribute is_undoable boolean;

create or replace function enrichment.list_enrichment_impl(status text, page_size integer, cursor text)
returns setof enrichment.listed_row
language plpgsql stable security definer set search_path = '' set jit = off set random_page_cost = 1.1
as $$
declare
    reader uuid := enrichment.acting_reader();
    page uuid[];
begin
    perform enrichment.refuse_bad_page(list_enrichment_impl.page_size);
    if list_enrichment_impl.status <> all(enum_range(null::enrichment.queue_status)::text[]) then
        perform enrichment.refuse('PT422', format('unknown status %s', list_enrichment_impl.status), 'use pending, in_progress, completed, needs_review, failed or skipped');
    end if;
    if list_enrichment_impl.cursor !~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then
        perform enrichment.refuse('PT422', 'cursor is not one that a page ended with', 'send the cursor of the last row, or null for the first page');
    end if;
    page := enrichment.queue_page(
        reader, list_enrichment_impl.status::enrichment.queue_status, list_enrichment_impl.page_size,
        coalesce(list_enrichment_impl.cursor, 'ffffffff-ffff-ffff-ffff-ffffffffffff')::uuid
    );

    return query
    select
        q.id, q.work_id, q.edition_id,
        case when reader is null or exists (select 1 from enrichment.imports as m where m.id = q.import_id and m.user_id = reader) then q.import_id end,
        w.title::text, enrichment.author_names(w.id), q.status, q.confidence, q.wait_reason, nullif(q.next_attempt_after, 'infinity'),
        q.last_error, w.default_cover_url, q.cover_applied, q.fields_applied, q.providers_attempted, q.match_details ->> 'sentence',
        present.fields, enrichment.shown_proposals(q, present.fields), q.match_details, q.trigger_source, enrichment.may_undo(reader, q),
        q.created_at, q.finished_at, q.undone_at, q.id::text, enrichment.is_undoable(reader, q)
    from public.enrichment_queue as q
    join public.works as w on w.id = q.work_id
    left join public.editions as e on e.id = q.edition_id
    cross join lateral enrichment.current_values(w, e) as present (fields)
    where q.id = any(page)
    order by q.id desc;
end
$$;

create function enrichment.job_findings()
returns table (name text, lateness interval, finding text, started_at timestamptz, message text)
language plpgsql stable set search_path = ''
as $$
begin
    -- Dynamic, since a project may have no pg_cron.
    -- @plpgsql_check_options: performance_warnings = off
    return query execute
        $jobs$
        select
            wanted.name, wanted.lateness,
            case
                when j.jobid is null then 'missing' when not j.active then 'switched off' when run.status is null then 'never'
                when run.start_time < now() - wanted.lateness then 'late' else run.status
            end,
            run.start_time, run.return_message
        from enrichment.jobs() as wanted
        left join cron.job as j on j.jobname = wanted.name and j.database = current_database()
        left join lateral (
            select d.status, d.return_message, d.start_time
            from cron.job_run_details as d
            where d.jobid = j.jobid and d.status in ('succeeded', 'failed')
            order by d.runid desc
            limit 1
        ) as run on true
        $jobs$;
end
$$;

comment on function enrichment.job_findings() is
'How each of our jobs is doing in pg_cron: missing, switched off, never (no run is on record), late, or as its last run ended (succeeded, failed). Raises where pg_cron cannot be read.';

create or replace function enrichment.health_of_jobs()
returns setof enrichment.health_check
language plpgsql stable set search_path = ''
as $$
begin
    if to_regclass('cron.job') is null then
        return query
        select
            'pg_cron', 'warn', 'pg_cron is not enabled: stored replies are applied only while a worker runs',
            'enable pg_cron in the dashboard (Database, Extensions), then: select enrichment.schedule_jobs()';
        return;
    end if;
    return query
    select
        'job ' || j.name,
        case
            when j.finding in ('missing', 'switched off', 'failed') then 'fail'
            when j.finding = 'late' or (j.finding = 'never' and j.lateness < '1 day') then 'warn' else 'ok'
        end,
        case j.finding
            when 'missing' then 'is not scheduled'
            when 'switched off' then 'is scheduled, but not active'
            when 'never' then 'is scheduled; no run is on record yet'
            when 'failed' then 'its last run failed: ' || left(j.message, 300)
            else 'last ran at ' || to_char(j.started_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI "UTC"')
        end,
        case j.finding
            when 'missing' then 'select enrichment.schedule_jobs()'
            when 'switched off' then 'select cron.alter_job(jobid, active => true) from cron.job where jobname = ' || quote_literal(j.name)
            when 'failed' then 'call it by hand as its command in cron.job does, and see what it says'
            when 'late' then 'a project that was paused is restarted in the dashboard, and pg_cron with it'
            when 'never' then case when j.lateness < '1 day' then 'look again in a minute; later: is pg_cron running? A restart of the project starts it' end
        end
    from enrichment.job_findings() as j
    order by j.lateness, j.name desc;
exception
    -- Not ours to read, or of a version that keeps its jobs otherwise: no reason to keep the other checks back.
    when others then
        return query
        select
            'pg_cron', 'warn', 'pg_cron''s tables cannot be read: ' || sqlerrm,
            'look in the dashboard (Integrations, Cron) whether these run: ' || string_agg(j.name, ', ') from enrichment.jobs() as j;
end
$$;

create or replace function enrichment.health_of_settings()
returns setof enrichment.health_check
language sql stable set search_path = ''
as $$
    select
        'contact',
        case when s.contact is null then 'fail' when s.contact ~* '@example\.(com|net|org)$' then 'warn' else 'ok' end,
        case
            when s.contact is null then 'nobody is named in the User-Agent, so Open Library is not asked (no_contact)'
            when s.contact ~* '@example\.(com|net|org)$' then s.contact || ' is an example that nobody reads'
            else 'the User-Agent names ' || s.contact
        end,
        case
            when s.contact is null or s.contact ~* '@example\.(com|net|org)$'
                then 'set ENRICHMENT_CONTACT where the worker runs, or: book-enrichment settings set contact=…, to an address or page of yours: it names you to Open Library'
        end
    from enrichment.settings as s
    union all
    select
        'automatic',
        case when s.auto_enabled then 'ok' else 'warn' end,
        case
            when s.auto_enabled then 'imports are worked on by themselves'
            else format('auto_enabled is off: what imports bring waits (rows by now: %s), what a person asks for runs', waiting."rows")
        end,
        case when not s.auto_enabled then 'set ENRICHMENT_AUTO_ENABLED=true where the worker runs, or: book-enrichment settings set auto_enabled=true' end
    from enrichment.settings as s
    cross join lateral (
        select count(*) as "rows" from public.enrichment_queue as q where q.is_open and q.wait_reason = 'auto_disabled'
    ) as waiting
$$;

create or replace function enrichment.health_of_storage()
returns setof enrichment.health_check
language plpgsql stable set search_path = ''
as $$
declare
    kept enrichment.settings := (select s from enrichment.settings as s);
    stored enrichment.cover_storage := (select c from enrichment.cover_storage as c);
    is_public boolean;
begin
    return query
    select
        'database size', case when db.bytes > 0.8 * kept.database_budget_bytes then 'warn' else 'ok' end,
        format('%s of %s (database_budget_bytes)', pg_size_pretty(db.bytes), pg_size_pretty(kept.database_budget_bytes)),
        case
            when db.bytes > 0.8 * kept.database_budget_bytes
                then 'lower keep_queue_days and keep_audit_days, then select * from prune_enrichment(); or use a larger plan, and set database_budget_bytes to what it has'
        end
    from pg_catalog.pg_database_size(current_database()) as db (bytes);

    if kept.cover_mode = 'hotlink' then
        return query select 'covers', 'ok', 'covers are shown from where they are; none are stored', null;
        return;
    end if;
    if to_regclass('storage.buckets') is not null then
        execute 'select b.public from storage.buckets as b where b.id = $1' into is_public using 'covers';
    end if;
    return query
    select
        'covers', case when is_public is null then 'fail' when not is_public or stored.bytes > 0.95 * kept.cover_budget_bytes then 'warn' else 'ok' end,
        case
            when is_public is null then 'covers are to be stored, and there is no bucket covers'
            when not is_public then 'the bucket covers is not public, so that readers cannot see what is stored'
            else format('stored covers: %s, %s of %s', stored.images, pg_size_pretty(stored.bytes), pg_size_pretty(kept.cover_budget_bytes))
        end,
        case
            when is_public is null then 'make a public bucket named covers in the dashboard (Storage), or: book-enrichment settings set cover_mode=hotlink'
            when not is_public then 'make it public in the dashboard (Storage)'
            when stored.bytes > 0.95 * kept.cover_budget_bytes then 'new covers stay hot-linked; raise cover_budget_bytes where there is room'
        end;
exception
    when others then
        return query select 'covers', 'warn', 'Storage''s tables cannot be read: ' || sqlerrm, 'look in the dashboard whether the bucket covers is there';
end
$$;

create function enrichment.jobs()
returns table (name text, schedule text, command text, lateness interval)
language sql immutable set search_path = ''
as $$
    values
        ('enrichment-sweep', '* * * * *', 'select count(*) from public.sweep_enrichment()', interval '10 minutes'),
        ('enrichment-reset-stale', '* * * * *', 'select count(*) from public.reset_stale_enrichment()', interval '10 minutes'),
        ('enrichment-prune', '17 3 * * *', 'select count(*) from public.prune_enrichment()', interval '2 days')
$$;

comment on function enrichment.jobs() is
'The jobs that pg_cron runs for us, and how long after its last run each is called late. Uninstalling knows them by their form: enrichment-…, and a call of a verb.';

create or replace function enrichment.schedule_jobs()
returns setof text
language plpgsql set search_path = ''
as $$
begin
    if to_regprocedure('cron.schedule(text, text, text)') is null then
        raise notice 'pg_cron is not installed: nothing is scheduled; enable it, then select enrichment.schedule_jobs()';
        return;
    end if;
    -- Dynamic, since a project may have no pg_cron.
    -- @plpgsql_check_options: performance_warnings = off
    return query execute
        'select job.name from enrichment.jobs() as job cross join lateral cron.schedule(job.name, job.schedule, job.command)';
end
$$;

create or replace function enrichment.enrichment_usage_impl()
returns setof enrichment.usage_line
language plpgsql stable security definer set search_path = '' set jit = off set random_page_cost = 1.1
as $$
declare
    reader uuid := enrichment.acting_reader();
    kept enrichment.settings := (select s from enrichment.settings as s);
begin
    return query
    select 'database', 'database', pg_database_size(current_database()), kept.database_budget_bytes, 'bytes', null::timestamptz
    union all
    select 'covers', 'storage', enrichment.stored_bytes(), kept.storage_budget_bytes, 'bytes', null
    union all
    select 'covers', 'budget', u.bytes, kept.cover_budget_bytes, 'bytes', null from enrichment.cover_storage as u;

    return query
    select
        'calls', p.provider, s.used_today::bigint, (p.daily_limit - least(p.daily_reserve, p.daily_limit))::bigint, 'calls',
        date_trunc('day', clock_timestamp() at time zone p.reset_time_zone + interval '1 day') at time zone p.reset_time_zone
    from enrichment.providers as p
    join enrichment.provider_states as s on s.provider = p.provider
    where p.is_enabled
    order by p."position";

    return query
    select 'waiting', q.wait_reason, count(*), null::bigint, 'rows', nullif(min(q.next_attempt_after), 'infinity')
    from public.enrichment_queue as q
    where q.is_open and q.status = 'pending'
        and (reader is null or q.work_id in (select i.work_id from public.library_items as i where i.user_id = reader))
    group by q.wait_reason
    order by q.wait_reason;
end
$$;

comment on function public.list_enrichment(text, integer, text) is
'Queue rows of the own library, newest first, each with all that a review panel shows: the sentence, every value as it is now, every proposal beside it, is_mine (it was you who asked for the row or approved it; true for the service) and is_undoable (undo_enrichment would take it back for you now). The cursor of the last row gets the next page. PT422 for an unknown status, page_size beyond 1,000 or a foreign cursor.';

comment on function public.enrichment_history(uuid) is
'What enrichment and its readers did to a book of the own library, newest first, at most 200 lines: values before and after, from where, why, is_mine (it was you) and is_undoable (undo_enrichment of its queue_id would take it back for you now). PT404, PT403.';

comment on function public.enrichment_usage() is
'The free-tier meter, a line each: database (bytes against database_budget_bytes), covers (storage: all files against storage_budget_bytes; budget: our covers against cover_budget_bytes), calls (of today per provider against what we spend of its daily limit, which leaves daily_reserve, null for none, until its midnight), waiting (pending rows per reason and when the first is due; a reader''s own library only).';

revoke all on function
    enrichment.cover_path(text),
    enrichment.is_undoable(uuid, public.enrichment_queue),
    enrichment.job_findings(),
    enrichment.jobs(),
    enrichment.setting_rule(text)
from public, anon, authenticated, service_role;

reset check_function_bodies;

insert into enrichment.schema_versions (version, name, checksum, works_with, brought) values
(3, '20261128040329_numbers_and_words_have_one_home', '41af1e8e0f834bf7a8e8dffbd2340866ab4ccab81d8d1f533010401060392868', 1, '{}');
