-- Taking back what a row or an import wrote, newest first, to the values of before. A value that was edited since is kept and
-- reported. Before: restore.sql knows how a value goes back.

create type enrichment.undo_outcome as (
    queue_id uuid, work_id uuid, status enrichment.queue_status, fields_restored text [], fields_kept text [], reason text
);
comment on type enrichment.undo_outcome is 'What was taken back of what a row wrote.';
comment on column enrichment.undo_outcome.queue_id is 'Null: an import''s own columns had filled it.';
comment on column enrichment.undo_outcome.status is 'Of the queue row. Null: there is none.';
comment on column enrichment.undo_outcome.fields_restored is 'They hold the values of before again.';
comment on column enrichment.undo_outcome.fields_kept is 'Changed by somebody since, and therefore kept.';
comment on column enrichment.undo_outcome.reason is 'Why nothing was taken back. Null: it was.';

create function enrichment.forget_covers(written enrichment.written_value[])
returns void
language plpgsql set search_path = ''
as $$
begin
    -- What was going to be stored is shown no more. A worker that has one in hand is told so when it hands it in (url_changed).
    with obsolete as (
        select c.id
        from enrichment.cover_queue as c
        where c.is_open and c.status = 'pending' and c.work_id in (
            select v.work_id from unnest(forget_covers.written) as v where v.is_ours and v.field = 'work.cover_url'
        )
        order by c.id
        for update
    )

    delete from enrichment.cover_queue as c using obsolete as o where c.id = o.id;

    -- A host without the column has no path to clear, and static SQL would not compile there.
    if exists (
        select 1 from pg_catalog.pg_attribute as a
        where a.attrelid = 'public.works'::regclass and a.attname = 'default_cover_storage_path' and not a.attisdropped
    ) then
        execute
            'update public.works as w set default_cover_storage_path = null from unnest($1) as v'
            || ' where v.is_ours and v.field = ''work.cover_url'' and w.id = v.work_id'
            || ' and w.default_cover_storage_path = any(v.storage_paths)'
        using forget_covers.written;
    end if;
end
$$;
comment on function enrichment.forget_covers(enrichment.written_value[]) is
'Covers that were taken back are not stored any more, and the paths of those that were are cleared. The images stay: other works may show them.';

create function enrichment.log_undo(queue_ids uuid[], import_id uuid, written enrichment.written_value[], actor uuid)
returns void
language sql set search_path = ''
as $$
    with changes as (
        select
            v.queue_id, v.work_id, max(v.edition_id::text)::uuid as edition_id,
            array_agg(v.field order by v.field) filter (where not v.is_ours) as kept,
            coalesce(jsonb_object_agg(v.field, jsonb_build_object('old', v.present, 'new', v.previous)) filter (where v.is_ours), '{}')
            as fields,
            coalesce(jsonb_object_agg(v.field, v.present) filter (where v.is_ours), '{}') as previous
        from unnest(log_undo.written) as v
        group by v.queue_id, v.work_id
    ),

    subjects as (
        select q.id, q.work_id, q.edition_id, q.import_id, q.confidence, c.kept, c.fields, c.previous
        from public.enrichment_queue as q
        left join changes as c on c.queue_id = q.id
        where q.id = any(log_undo.queue_ids)
        union all
        select null, c.work_id, c.edition_id, log_undo.import_id, null, c.kept, c.fields, c.previous
        from changes as c
        where c.queue_id is null
    )

    insert into public.enrichment_audit_log (
        enrichment_queue_id, work_id, edition_id, import_id, action, confidence, fields_changed, previous_values, match_details, actor
    )
    select
        s.id, s.work_id, s.edition_id, s.import_id, 'undone', s.confidence, coalesce(s.fields, '{}'), coalesce(s.previous, '{}'),
        jsonb_strip_nulls(jsonb_build_object(
            'sentence', case when s.kept is null then 'undone' else 'undone, but for what was changed since' end,
            'fields_kept', to_jsonb(s.kept)
        )),
        log_undo.actor
    from subjects as s
    order by s.work_id, s.id
$$;
comment on function enrichment.log_undo(uuid[], uuid, enrichment.written_value[], uuid) is
'One line of action undone for each queue row, and for each work that an import''s own columns had filled.';

create function enrichment.show_last_outcome(work_ids uuid[])
returns void
language sql set search_path = ''
as $$
    update public.works as w
    set enrichment_status = last.status, enrichment_confidence = last.confidence, last_enriched_at = last.ended_at
    from public.works as same
    left join lateral (
        select q.status, q.confidence, coalesce(q.finished_at, q.scored_at) as ended_at
        from public.enrichment_queue as q
        where q.work_id = same.id and not q.is_open and q.undone_at is null
        order by q.created_at desc, q.id desc
        limit 1
    ) as last on true
    where same.id = any(show_last_outcome.work_ids) and w.id = same.id
$$;
comment on function enrichment.show_last_outcome(uuid[]) is
'Works say how their last enrichment ended that is not undone, or nothing where there is none. The caller holds the locks.';

create function enrichment.undo_rows(queue_ids uuid[], import_id uuid, work_ids uuid[], actor uuid)
returns setof enrichment.undo_outcome
language plpgsql set search_path = ''
as $$
declare
    written enrichment.written_value[];
    touched uuid[] := array(
        select q.work_id from public.enrichment_queue as q where q.id = any(undo_rows.queue_ids) union select unnest(undo_rows.work_ids)
    );
begin
    perform 1 from public.works as w where w.id = any(touched) order by w.id for no key update;
    perform 1 from public.editions as e
    where e.id in (select a.edition_id from enrichment.logged_writes(undo_rows.queue_ids, undo_rows.import_id, undo_rows.work_ids) as a)
    order by e.id for no key update;

    select array_agg(v) into written from enrichment.written_values(undo_rows.queue_ids, undo_rows.import_id, undo_rows.work_ids) as v;
    perform enrichment.restore_values(written);
    perform enrichment.log_undo(undo_rows.queue_ids, undo_rows.import_id, written, undo_rows.actor);
    update public.enrichment_queue as q
    set status = case when q.finished_at is null then 'skipped' else q.status end, finished_at = coalesce(q.finished_at, now()),
        claim_token = null, scored_at = null, undone_at = now(), undone_by = undo_rows.actor, updated_at = now()
    where q.id = any(undo_rows.queue_ids);
    -- Whoever asks again is answered from what is known: a rival that was only passed over may be chosen now.
    delete from enrichment.rejected_candidates as j
    using public.enrichment_queue as q
    where q.id = any(undo_rows.queue_ids) and j.work_id = q.work_id and not j.is_dismissed
        and q.match_details -> 'rivals' ? (j.provider || ':' || j.candidate_key);
    perform enrichment.show_last_outcome(touched);

    return query
    with first_rows as (
        select distinct on (q.work_id) q.work_id, q.id
        from public.enrichment_queue as q where q.id = any(undo_rows.queue_ids) order by q.work_id, q.id
    ),

    -- What the import's own columns filled is told on the line of the book's queue row, where there is one.
    undone as (
        select
            coalesce(v.queue_id, f.id) as line_id, v.work_id,
            array_agg(v.field order by v.field) filter (where v.is_ours) as restored,
            array_agg(v.field order by v.field) filter (where not v.is_ours) as kept
        from unnest(written) as v
        left join first_rows as f on f.work_id = v.work_id
        group by 1, 2
    )

    select q.id, q.work_id, q.status, coalesce(u.restored, '{}'), coalesce(u.kept, '{}'), null
    from public.enrichment_queue as q
    left join undone as u on u.line_id = q.id
    where q.id = any(undo_rows.queue_ids)
    union all
    select null, u.work_id, null, coalesce(u.restored, '{}'), coalesce(u.kept, '{}'), null from undone as u where u.line_id is null
    order by 2, 1;
end
$$;
comment on function enrichment.undo_rows(uuid[], uuid, uuid[], uuid) is
'Takes back what queue rows, and an import''s own columns in these works, wrote. A row that had not ended is skipped. The caller holds the rows'' locks and knows that they may be undone.';

create function enrichment.undo_enrichment_impl(queue_id uuid)
returns setof enrichment.undo_outcome
language plpgsql security definer set search_path = '' set jit = off
as $$
declare
    reader uuid := enrichment.acting_reader();
    undone public.enrichment_queue;
begin
    select * into undone from public.enrichment_queue as q where q.id = undo_enrichment_impl.queue_id for update;
    if not found then
        perform enrichment.refuse(
            'PT404', format('no queue row %s', undo_enrichment_impl.queue_id), 'see list_enrichment(); old ones are pruned'
        );
    elsif not enrichment.may_undo(reader, undone) then
        perform enrichment.refuse('PT403', format('queue row %s is not yours to undo', undone.id), 'whoever triggered or approved it may');
    elsif undone.is_open then
        perform enrichment.refuse('PT409', format('queue row %s is still %s', undone.id, undone.status), 'undo it once it has ended');
    elsif undone.undone_at is not null then
        perform enrichment.refuse('PT409', format('queue row %s was undone already', undone.id), 'enqueue the work again');
    elsif undone.status <> 'needs_review' and not exists (select 1 from enrichment.logged_writes(array[undone.id], null, null)) then
        perform enrichment.refuse('PT409', format('queue row %s has written nothing', undone.id), 'see enrichment_history()');
    end if;
    return query select o.* from enrichment.undo_rows(array[undone.id], null, null, reader) as o;
end
$$;

create function enrichment.hold_import_rows(import_id uuid)
returns uuid[]
language plpgsql set search_path = ''
as $$
declare
    held uuid[];
begin
    with locked as (
        select q.id
        from public.enrichment_queue as q
        where q.id in (select r.queue_id from enrichment.import_rows as r where r.import_id = hold_import_rows.import_id)
            and q.import_id = hold_import_rows.import_id and q.undone_at is null and case q.status
                when 'in_progress' then false
                when 'pending' then q.trigger_source = 'post_import'
                when 'needs_review' then true
                else q.fields_applied <> '{}'
            end
        order by q.id
        limit 1000
        for update
    )

    select coalesce(array_agg(l.id), '{}') into held from locked as l;
    -- Those not begun yet would fill the books after all. They take the way of a claim that finds nothing.
    update public.enrichment_queue as q
    set status = 'in_progress', claim_token = gen_random_uuid(), claimed_by = 'undo_import', wait_reason = null, started_at = now()
    where q.id = any(held) and q.status = 'pending';
    return held;
end
$$;
comment on function enrichment.hold_import_rows(uuid) is
'Locks up to 1,000 queue rows of an import that an undo takes back, and claims those that are pending: not those a worker has in hand, nor those that were asked for again.';

create function enrichment.filled_works(import_id uuid, queue_ids uuid[])
returns uuid[]
language plpgsql stable set search_path = ''
as $$
begin
    return (
        with filled as (
            select distinct w.work_id
            from enrichment.logged_writes(null, filled_works.import_id, array(
                select r.work_id from enrichment.import_rows as r where r.import_id = filled_works.import_id
            )) as w
        ),

        own as (
            select q.work_id from public.enrichment_queue as q where q.id = any(filled_works.queue_ids)
        ),

        others as (
            select f.work_id from filled as f
            where f.work_id not in (select o.work_id from own as o)
            order by f.work_id
            limit 1000 - cardinality(filled_works.queue_ids)
        )

        select array_agg(f.work_id)
        from filled as f
        where f.work_id in (select o.work_id from own as o union all select o.work_id from others as o)
    );
end
$$;
comment on function enrichment.filled_works(uuid, uuid[]) is
'Works that an import''s own columns filled: those of these queue rows, and of other books as many as there is room for lines.';

create function enrichment.undo_import_impl(import_id uuid)
returns setof enrichment.undo_outcome
language plpgsql security definer set search_path = '' set jit = off
as $$
declare
    held uuid[];
    lines integer;
begin
    perform enrichment.refuse_foreign_import(undo_import_impl.import_id);
    held := enrichment.hold_import_rows(undo_import_impl.import_id);
    return query
    select o.*
    from enrichment.undo_rows(
        held, undo_import_impl.import_id, enrichment.filled_works(undo_import_impl.import_id, held), enrichment.acting_reader()
    ) as o;
    get diagnostics lines = row_count;
    return query
    select
        q.id, q.work_id, q.status, '{}'::text[], '{}'::text[],
        case
            when q.status = 'in_progress' then 'a worker has it in hand: undo the import again when it has ended'
            else 'it was asked for again since: undo it by itself once it has ended'
        end
    from public.enrichment_queue as q
    where q.id in (select r.queue_id from enrichment.import_rows as r where r.import_id = undo_import_impl.import_id)
        and q.import_id = undo_import_impl.import_id and q.is_open
    order by q.work_id
    limit 1000 - lines;
end
$$;

create function enrichment.may_undo(reader uuid, undone public.enrichment_queue)
returns boolean
language plpgsql stable set search_path = ''
as $$
begin
    return may_undo.reader is null or undone.triggered_by is not distinct from may_undo.reader or exists (
        select 1 from public.enrichment_audit_log as a
        where a.enrichment_queue_id = undone.id and a.action = 'approved' and a.actor = may_undo.reader
    );
end
$$;
comment on function enrichment.may_undo(uuid, public.enrichment_queue) is
'Whoever triggered a row or approved it may undo it, and the service (null). Whether it is in a state to be undone is another question.';
