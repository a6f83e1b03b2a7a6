-- What is there of all that is needed, a check a line, and what to do about the rest; `book-enrichment doctor` prints it.

create type enrichment.health_check as (name text, state text, message text, hint text);
comment on type enrichment.health_check is 'One thing that enrichment needs, and whether it is there.';
comment on column enrichment.health_check.state is 'ok, warn or fail.';
comment on column enrichment.health_check.hint is 'What to do. Null: nothing.';

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

create function enrichment.health_of_jobs()
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
            when 'never' then case
                when j.lateness < '1 day' then 'look again in a minute; later: is pg_cron running? A restart of the project starts it'
            end
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
comment on function enrichment.health_of_jobs() is 'Whether pg_cron is enabled, our three jobs are scheduled and active, and how their last runs ended.';

create function enrichment.health_of_settings()
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
                then 'set ENRICHMENT_CONTACT where the worker runs, or: book-enrichment settings set contact=…, '
                    || 'to an address or page of yours: it names you to Open Library'
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
        case
            when not s.auto_enabled
                then 'set ENRICHMENT_AUTO_ENABLED=true where the worker runs, or: book-enrichment settings set auto_enabled=true'
        end
    from enrichment.settings as s
    cross join lateral (
        select count(*) as "rows" from public.enrichment_queue as q where q.is_open and q.wait_reason = 'auto_disabled'
    ) as waiting
$$;
comment on function enrichment.health_of_settings() is 'Whether the settings let anything happen: a contact for the User-Agent, and the master switch.';

create function enrichment.health_of_providers()
returns setof enrichment.health_check
language sql stable set search_path = ''
as $$
    select
        'provider ' || s.provider,
        case
            when s.wait_reason in ('bad_key', 'quota_zero', 'identify', 'unknown_location') then 'fail'
            when s.wait_reason in ('breaker', 'retry_after', 'daily') or (s.wait_reason = 'no_key' and opted_in.readers > 0) then 'warn'
            else 'ok'
        end,
        case
            when s.wait_reason is null or s.wait_reason = 'rate' then 'may be asked'
            when s.wait_reason = 'disabled' then 'switched off'
            when s.wait_reason = 'no_key' and opted_in.readers = 0 then 'no key, and nobody wants it'
            when s.wait_reason = 'no_key' then format('no key, though readers opted in: %s', opted_in.readers)
            else concat_ws(
                ', ', 'not asked (' || s.wait_reason || ')',
                'until ' || to_char(s.available_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI "UTC"'),
                'last error: ' || p.last_error
            )
        end,
        case s.wait_reason
            when 'no_key' then case
                when opted_in.readers > 0 then 'set GOOGLE_BOOKS_API_KEY where the worker runs; without it books keep what Open Library has'
            end
            when 'bad_key' then 'the provider refuses the key: check GOOGLE_BOOKS_API_KEY and the key''s restrictions'
            when 'quota_zero' then 'the key''s project has no quota: enable the Books API in the Google Cloud console'
            when 'identify' then 'the provider refuses our User-Agent: is the contact an address that works?'
            when 'unknown_location' then 'set ENRICHMENT_GOOGLE_BOOKS_COUNTRY to the two letters of your country'
            when 'breaker' then 'nothing: it failed several times and is tried again by itself'
            when 'retry_after' then 'nothing: it asked for a pause and is tried again by itself'
            when 'daily' then 'nothing: its calls of today are spent, it is asked again tomorrow'
        end
    from enrichment.provider_states as s
    join enrichment.providers as p on p.provider = s.provider
    cross join lateral (
        select count(*) as readers from public.users as u where p.needs_opt_in and to_jsonb(u) ->> 'enable_google_books' = 'true'
    ) as opted_in
    where s.wait_reason is distinct from 'no_contact'
    order by s."position"
$$;
comment on function enrichment.health_of_providers() is 'Who may be asked, and where not whether somebody must do something about it. What waits for a contact is told once, by contact.';

create function enrichment.health_of_queue()
returns setof enrichment.health_check
language sql stable set search_path = ''
as $$
    select
        'claims', case when stale."rows" > 0 then 'fail' else 'ok' end,
        case
            when stale."rows" > 0 then format('claims of workers that are gone: %s, the oldest from %s ago', stale."rows", stale.age)
            else 'no claim is held too long'
        end,
        case
            when stale."rows" > 0
                then 'pg_cron and every worker take them back; where neither runs: select * from reset_stale_enrichment()'
        end
    from (
        select count(*) as "rows", date_trunc('minute', now() - min(q.started_at)) as age
        from public.enrichment_queue as q
        cross join enrichment.settings as s
        where q.is_open and q.status = 'in_progress'
            and q.started_at < now() - make_interval(secs => s.stale_after_seconds) - interval '2 minutes'
    ) as stale
    union all
    select
        'worker', case when due."rows" > 0 and not due.is_busy then 'warn' else 'ok' end,
        case
            when due."rows" > 0 and not due.is_busy then format(
                'rows that are due and nobody takes: %s, the oldest for %s', due."rows", date_trunc('minute', now() - due.oldest)
            )
            when due."rows" > 0 then format('rows that are due: %s, and a worker is at it', due."rows")
            else 'no row is kept waiting'
        end,
        case when due."rows" > 0 and not due.is_busy then 'start one: book-enrichment run' end
    from (
        select
            count(*) filter (where q.status = 'pending' and q.next_attempt_after < now() - interval '10 minutes') as "rows",
            min(q.next_attempt_after) filter (where q.status = 'pending') as oldest,
            coalesce(bool_or(q.started_at > now() - interval '10 minutes'), false) as is_busy
        from public.enrichment_queue as q
        where q.is_open or q.finished_at > now() - interval '10 minutes'
    ) as due
    union all
    select
        'failures', case when failed."rows" > 0 then 'warn' else 'ok' end,
        case
            when failed."rows" > 0 then format(
                'rows that failed within a week: %s, most often: %s', failed."rows",
                coalesce(left(failed.last_error, 300), 'no reason on record')
            )
            else 'no row failed within a week'
        end,
        case
            when failed."rows" > 0 then 'book-enrichment enqueue WORK_ID… tries them again; '
                || 'select * from enrichment_queue where status = ''failed'' lists them'
        end
    from (
        select count(*) as "rows", mode() within group (order by q.last_error) as last_error
        from public.enrichment_queue as q
        where q.finished_at > now() - interval '7 days' and q.status = 'failed'
    ) as failed
$$;
comment on function enrichment.health_of_queue() is 'Claims nobody took back, rows nobody takes, and what failed lately.';

create function enrichment.health_of_storage()
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
                then 'lower keep_queue_days and keep_audit_days, then select * from prune_enrichment(); or use a larger plan, '
                    || 'and set database_budget_bytes to what it has'
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
        'covers',
        case
            when is_public is null then 'fail'
            when not is_public or stored.bytes > 0.95 * kept.cover_budget_bytes then 'warn'
            else 'ok'
        end,
        case
            when is_public is null then 'covers are to be stored, and there is no bucket covers'
            when not is_public then 'the bucket covers is not public, so that readers cannot see what is stored'
            else format('stored covers: %s, %s of %s', stored.images, pg_size_pretty(stored.bytes), pg_size_pretty(kept.cover_budget_bytes))
        end,
        case
            when is_public is null
                then 'make a public bucket named covers in the dashboard (Storage), or: book-enrichment settings set cover_mode=hotlink'
            when not is_public then 'make it public in the dashboard (Storage)'
            when stored.bytes > 0.95 * kept.cover_budget_bytes
                then 'new covers stay hot-linked; raise cover_budget_bytes where there is room'
        end;
exception
    when others then
        return query select
            'covers', 'warn', 'Storage''s tables cannot be read: ' || sqlerrm, 'look in the dashboard whether the bucket covers is there';
end
$$;
comment on function enrichment.health_of_storage() is 'How much room is left for rows, and whether covers that are to be stored have a bucket and room in their budget.';

create function enrichment.enrichment_health_impl(verbs jsonb, objects jsonb)
returns setof enrichment.health_check
language plpgsql stable security definer set search_path = ''
as $$
begin
    if jsonb_typeof(enrichment_health_impl.verbs) is distinct from 'object' then
        perform enrichment.refuse('PT422', 'verbs is not a JSON object', 'send {"verb": ["parameter", …], …}, or nothing');
    end if;
    if jsonb_typeof(enrichment_health_impl.objects) is distinct from 'object' then
        perform enrichment.refuse('PT422', 'objects is not a JSON object', 'send {"schema.function": "md5 of its body", …}, or nothing');
    end if;
    return query
    select * from enrichment.health_of_verbs(enrichment_health_impl.verbs)
    union all select * from enrichment.health_of_objects(enrichment_health_impl.objects)
    union all select * from enrichment.health_of_host()
    union all select * from enrichment.health_of_tables()
    union all select * from enrichment.health_of_rights()
    union all select * from enrichment.health_of_jobs()
    union all select * from enrichment.health_of_settings()
    union all select * from enrichment.health_of_realtime();

    -- What reads the library cannot look where the library is not whole.
    if not exists (select from enrichment.health_of_host() as h where h.state = 'fail') then
        return query
        select * from enrichment.health_of_providers()
        union all select * from enrichment.health_of_queue()
        union all select * from enrichment.health_of_storage();
    end if;
end
$$;
