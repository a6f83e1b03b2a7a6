-- The way back: what the audit log says was written is put to what it was before, and only where it is still what we wrote. Used by
-- undo of a row and of an import (undo.sql).

create type enrichment.written_value as (
    queue_id uuid, work_id uuid, edition_id uuid, field text, present jsonb, previous jsonb, is_ours boolean, storage_paths text []
);
comment on type enrichment.written_value is
'A value that enrichment wrote: what stands there now and stood there before, whether it is still ours to take back, and where a swapped cover lies.';

create function enrichment.logged_writes(queue_ids uuid[], import_id uuid, work_ids uuid[])
returns setof public.enrichment_audit_log
language sql stable set search_path = ''
as $$
    select a.*
    from public.enrichment_audit_log as a
    where a.enrichment_queue_id = any(logged_writes.queue_ids) and a.action in ('auto_applied', 'approved')
        and (a.match_details ? 'storage_path') is not true
    union all
    select a.*
    from public.enrichment_audit_log as a
    where a.work_id = any(logged_writes.work_ids) and a.import_id = logged_writes.import_id and a.enrichment_queue_id is null
        and a.action = 'auto_applied' and (a.match_details ? 'storage_path') is not true
        and not exists (
            select 1 from public.enrichment_audit_log as u
            where u.work_id = a.work_id and u.import_id = a.import_id and u.enrichment_queue_id is null and u.action = 'undone'
                and u.id > a.id
        )
$$;
comment on function enrichment.logged_writes(uuid[], uuid, uuid[]) is
'The log of what queue rows wrote, and of what an import''s own columns wrote into works and is not undone yet. A swap of a cover for its stored copy is no write of its own.';

create function enrichment.written_values(queue_ids uuid[], import_id uuid, work_ids uuid[])
returns setof enrichment.written_value
language sql stable set search_path = ''
as $$
    with recursive written as materialized (
        select
            a.id, a.enrichment_queue_id as queue_id, a.work_id, case when f.key like 'edition.%' then a.edition_id end as edition_id,
            f.key as field, present.fields -> f.key as present, f.value -> 'old' as previous, f.value ->> 'new' as new_value
        from enrichment.logged_writes(written_values.queue_ids, written_values.import_id, written_values.work_ids) as a
        join public.works as w on w.id = a.work_id
        left join public.editions as e on e.id = a.edition_id
        cross join lateral enrichment.current_values(w, e) as present (fields)
        cross join lateral jsonb_each(a.fields_changed) as f
    ),

    -- A cover may have been swapped since, also by the search for covers that were hot-linked before, which names no queue row.
    swaps as materialized (
        select
            a.work_id, a.fields_changed #>> '{work.cover_url,old}' as old_url, a.fields_changed #>> '{work.cover_url,new}' as new_url,
            a.match_details ->> 'storage_path' as storage_path
        from public.enrichment_audit_log as a
        where a.work_id in (select t.work_id from written as t where t.field = 'work.cover_url')
            and a.fields_changed ? 'work.cover_url' and a.match_details ? 'storage_path'
    ),

    covers (work_id, url, storage_paths) as (
        select t.work_id, t.present #>> '{}', '{}'::text[] from written as t where t.field = 'work.cover_url'
        union
        select c.work_id, s.old_url, c.storage_paths || s.storage_path
        from covers as c
        join swaps as s on s.work_id = c.work_id and s.new_url = c.url and s.storage_path <> all(c.storage_paths)
    )

    select distinct on (t.queue_id, t.work_id, t.edition_id, t.field)
        t.queue_id, t.work_id, t.edition_id, t.field, t.present, t.previous, coalesce(still.is_ours, false), c.storage_paths
    from written as t
    left join covers as c on t.field = 'work.cover_url' and c.work_id = t.work_id and c.url = t.new_value
    cross join lateral (
        select (c.work_id is not null or enrichment.same_value(t.field, t.present #>> '{}', t.new_value)) and not exists (
            -- Somebody emptied it and another row filled it anew: an equal value is that row's.
            select 1 from public.enrichment_audit_log as later
            where later.work_id = t.work_id and later.id > t.id and later.action in ('auto_applied', 'approved')
                and later.fields_changed ? t.field and (later.match_details ? 'storage_path') is not true
                and (t.edition_id is null or later.edition_id = t.edition_id)
        ) as is_ours
    ) as still
    order by t.queue_id, t.work_id, t.edition_id, t.field, still.is_ours desc nulls last, t.id desc
$$;
comment on function enrichment.written_values(uuid[], uuid, uuid[]) is
'Every field that queue rows, and an import''s own columns in these works, wrote. is_ours: the value is still there, or its stored copy, and nobody wrote it anew since. The caller holds the locks.';

create function enrichment.restore_values(written enrichment.written_value[])
returns void
language plpgsql set search_path = ''
as $$
begin
    perform enrichment.restore_fields(array(
        select row(coalesce(v.edition_id, v.work_id), v.field, v.previous #>> '{}')::enrichment.field_value
        from unnest(restore_values.written) as v where v.is_ours
    ));
    perform enrichment.forget_covers(restore_values.written);
end
$$;
comment on function enrichment.restore_values(enrichment.written_value[]) is
'Puts back what stood there before, where the value is still ours. The caller holds the locks under which that was found.';
