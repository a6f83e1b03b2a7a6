-- What an operator may change, one typed row. Each number has its unit in its name and its reason in its comment; the verb
-- configure_enrichment changes and lists them. Triggers elsewhere wake what waited for a switch.

create type enrichment.setting as (name text, value text, description text);
comment on type enrichment.setting is 'A setting of the database, after the change.';
comment on column enrichment.setting.value is 'As text. Null: it is not set.';
comment on column enrichment.setting.description is 'What it means.';

create table enrichment.settings (
    is_only_row boolean primary key default true check (is_only_row),
    auto_enabled boolean not null default false,
    auto_apply_covers boolean not null default true,
    auto_apply_metadata boolean not null default false,
    batch_size integer not null default 10 check (batch_size between 1 and 100),
    provider_delay_ms integer not null default 500 check (provider_delay_ms between 0 and 60000),
    sweep_batch_size integer not null default 500 check (sweep_batch_size between 1 and 1000),
    contact text check (contact <> ''),
    provider_keys text[] not null default '{}',
    finish_without_budget boolean not null default true,
    max_attempts integer not null default 3 check (max_attempts between 1 and 20),
    backoff_base_seconds integer not null default 60 check (backoff_base_seconds >= 1),
    backoff_max_seconds integer not null default 3600 check (backoff_max_seconds >= 1),
    stale_after_seconds integer not null default 300 check (stale_after_seconds >= 1),
    record_valid_days integer not null default 7 check (record_valid_days >= 1),
    miss_valid_days integer not null default 14 check (miss_valid_days >= 1),
    keep_queue_days integer not null default 90 check (keep_queue_days >= 1),
    keep_audit_days integer not null default 365 check (keep_audit_days >= 1),
    keep_cron_runs_days integer not null default 7 check (keep_cron_runs_days >= 1),
    cover_mode text not null default 'hotlink' check (cover_mode in ('hotlink', 'thumbnail')),
    cover_budget_bytes bigint not null default 858993459 check (cover_budget_bytes >= 0),
    cover_image_bytes integer not null default 30720 check (cover_image_bytes between 4096 and 1048576),
    cover_download_bytes integer not null default 5242880 check (cover_download_bytes between 4096 and 52428800),
    cover_hosts text[] not null default array['covers.openlibrary.org', 'archive.org', '*.us.archive.org'],
    database_budget_bytes bigint not null default 524288000 check (database_budget_bytes >= 0),
    storage_budget_bytes bigint not null default 1073741824 check (storage_budget_bytes >= 0),
    constraint google_covers_are_never_stored check (array_to_string(cover_hosts, ' ') !~* '(google|gstatic|ggpht)'),
    constraint cover_hosts_are_host_names check (array_to_string(cover_hosts, ' ') ~ '^((\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)+( |$))*$')
);
alter table enrichment.settings enable row level security;
revoke all on enrichment.settings from public, anon, authenticated, service_role;

insert into enrichment.settings default values;

comment on table enrichment.settings is 'One row of switches and limits; change it here or through configure_enrichment().';
comment on column enrichment.settings.is_only_row is 'Keeps this table at one row.';
comment on column enrichment.settings.auto_enabled is
'Master switch: off, rows of imports and of the system wait with reason auto_disabled; rows a person asked for run.';
comment on column enrichment.settings.auto_apply_covers is 'Write covers of medium or high confidence without asking.';
comment on column enrichment.settings.auto_apply_metadata is 'Write empty text fields of high confidence without asking.';
comment on column enrichment.settings.batch_size is 'Works a worker takes per claim.';
comment on column enrichment.settings.provider_delay_ms is 'Least gap in milliseconds between two calls of one worker to one provider.';
comment on column enrichment.settings.sweep_batch_size is 'Works the sweep answers from the cache per call, at most 1,000.';
comment on column enrichment.settings.contact is
'E-mail or URL in the User-Agent; Open Library refuses clients that name none, so without it that provider waits (no_contact).';
comment on column enrichment.settings.provider_keys is 'Providers for which the client holds an API key. The key itself never comes here.';
comment on column enrichment.settings.finish_without_budget is
'A later provider''s budget is spent, or it is paused, for the rest of the day. True: rows finish with what they have; false: a row with a gap that only this provider could still fill waits for it (daily).';
comment on column enrichment.settings.max_attempts is 'Crashes or lasting errors a row may meet before it fails.';
comment on column enrichment.settings.backoff_base_seconds is 'Wait after the first spent attempt; doubles with each.';
comment on column enrichment.settings.backoff_max_seconds is 'Longest wait between two attempts.';
comment on column enrichment.settings.stale_after_seconds is 'A claim older than this is taken for a crash.';
comment on column enrichment.settings.record_valid_days is 'Days for which a stored provider reply answers without a call.';
comment on column enrichment.settings.miss_valid_days is 'Days for which a stored no_match answers without a call.';
comment on column enrichment.settings.keep_queue_days is 'Days a finished queue row is kept; after that what it wrote can no longer be undone.';
comment on column enrichment.settings.keep_audit_days is 'Days an audit row is kept.';
comment on column enrichment.settings.keep_cron_runs_days is 'Days pg_cron''s run log is kept.';
comment on column enrichment.settings.cover_mode is
'hotlink: works show the provider''s URL. thumbnail: Open Library''s covers are shrunk and kept in the bucket covers; Google''s stay hot-linked.';
comment on column enrichment.settings.cover_budget_bytes is
'Bytes all stored covers may take, 80 % of the free tier''s 1 GB (819 MB); once reached, new covers stay hot-linked (storage_budget).';
comment on column enrichment.settings.cover_image_bytes is 'Largest image that is stored, in bytes; each cover under way sets as much aside.';
comment on column enrichment.settings.cover_download_bytes is 'Largest image that is downloaded, in bytes.';
comment on column enrichment.settings.database_budget_bytes is
'Bytes the whole database may take: the free plan''s 500 MB, beyond which Supabase makes it read-only. Set it to what your plan has; enrichment_usage() and enrichment_health() measure against it.';
comment on column enrichment.settings.storage_budget_bytes is
'Bytes all files of the project may take, the free tier''s 1 GB; enrichment_usage() measures against it, cover_budget_bytes is our share.';
comment on column enrichment.settings.cover_hosts is
'Hosts images are downloaded from, over https only; *.name stands for every host below name. Open Library keeps its larger images at archive.org.';

create function enrichment.configure_enrichment_impl(changes jsonb)
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
            'PT422', 'a setting cannot take that value: ' || coalesce(enrichment.setting_rule(broken_rule), sqlerrm),
            'call configure_enrichment() for what each setting means'
        );
    when not_null_violation or data_exception then
        perform enrichment.refuse(
            'PT422', 'a setting cannot take that value: ' || sqlerrm, 'call configure_enrichment() for what each setting means'
        );
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

create function enrichment.list_settings()
returns setof enrichment.setting
language sql stable set search_path = ''
as $$
    select a.attname::text, value.value, col_description(a.attrelid, a.attnum)
    from enrichment.settings as s
    cross join lateral jsonb_each_text(to_jsonb(s)) as value
    join pg_catalog.pg_attribute as a on a.attrelid = 'enrichment.settings'::regclass and a.attname = value.key
    where value.key <> 'is_only_row'
    order by a.attnum
$$;
comment on function enrichment.list_settings() is 'The settings row, one setting a line, with what each means.';
