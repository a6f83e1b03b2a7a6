-- How far imports are, for the reader they belong to: files, lines, and what became of their books.

create type enrichment.import_state as (
    import_id uuid, import_source text, created_at timestamptz, expected_rows integer, "rows" integer, created integer,
    matched integer, duplicate integer, rejected integer, pending integer, in_progress integer, completed integer,
    needs_review integer, failed integer, skipped integer, covers_applied integer, undone integer, undoable integer
);
comment on type enrichment.import_state is 'How far an import is: its lines by outcome, the queue rows of its books by state.';
comment on column enrichment.import_state.import_source is 'goodreads or storygraph.';
comment on column enrichment.import_state.expected_rows is 'Lines that the file has. Null: it was not said.';
comment on column enrichment.import_state."rows" is 'Lines that are in.';
comment on column enrichment.import_state.covers_applied is 'Covers that were filled and not taken back.';
comment on column enrichment.import_state.undone is 'Queue rows that were undone.';
comment on column enrichment.import_state.undoable is 'Books in which undo_import would take something back.';

create type enrichment.import_line as (
    row_number integer, title text, authors text [], outcome text, reason text, work_id uuid, queue_id uuid,
    status enrichment.queue_status, cursor integer
);
comment on type enrichment.import_line is 'A line of an imported file, and how its book is doing.';
comment on column enrichment.import_line.row_number is 'As in a spreadsheet: the first book is 2.';
comment on column enrichment.import_line.title is 'Null: the line has none.';
comment on column enrichment.import_line.outcome is 'created, matched, duplicate or rejected.';
comment on column enrichment.import_line.reason is 'Why it was rejected, or whose duplicate it is. Null: neither.';
comment on column enrichment.import_line.work_id is 'Null: it was rejected.';
comment on column enrichment.import_line.queue_id is 'Null: its work was not queued.';
comment on column enrichment.import_line.status is 'Of the queue row. Null: there is none.';
comment on column enrichment.import_line.cursor is 'Give it back to get the lines after this one.';

create function enrichment.refuse_foreign_import(import_id uuid)
returns void
language plpgsql stable set search_path = ''
as $$
declare
    reader uuid := enrichment.acting_reader();
    owner uuid;
begin
    select i.user_id into owner from enrichment.imports as i where i.id = refuse_foreign_import.import_id;
    if owner is null then
        perform enrichment.refuse(
            'PT404', format('no import %s', refuse_foreign_import.import_id), 'see enrichment_imports(); old ones are pruned'
        );
    elsif owner <> reader then
        perform enrichment.refuse(
            'PT403', format('import %s is another reader''s', refuse_foreign_import.import_id), 'see enrichment_imports()'
        );
    end if;
end
$$;
comment on function enrichment.refuse_foreign_import(uuid) is 'PT404 for an unknown import, PT403 for another reader''s; the service may see them all.';

create function enrichment.import_states(import_ids uuid[])
returns setof enrichment.import_state
language sql stable set search_path = ''
as $$
    select
        i.id, i.import_source, i.created_at, i.expected_rows, r."rows", r.created, r.matched, r.duplicate, r.rejected,
        q.pending, q.in_progress, q.completed, q.needs_review, q.failed, q.skipped, q.covers_applied, q.undone, u.undoable
    from enrichment.imports as i
    cross join lateral (
        select
            count(*)::integer as "rows", count(*) filter (where r.outcome = 'created')::integer as created,
            count(*) filter (where r.outcome = 'matched')::integer as matched,
            count(*) filter (where r.outcome = 'duplicate')::integer as duplicate,
            count(*) filter (where r.outcome = 'rejected')::integer as rejected
        from enrichment.import_rows as r
        where r.import_id = i.id
    ) as r
    cross join lateral (
        select
            count(*) filter (where q.status = 'pending')::integer as pending,
            count(*) filter (where q.status = 'in_progress')::integer as in_progress,
            count(*) filter (where q.status = 'completed')::integer as completed,
            count(*) filter (where q.status = 'needs_review')::integer as needs_review,
            count(*) filter (where q.status = 'failed')::integer as failed,
            count(*) filter (where q.status = 'skipped')::integer as skipped,
            count(*) filter (where q.cover_applied and q.undone_at is null)::integer as covers_applied,
            count(*) filter (where q.undone_at is not null)::integer as undone
        from public.enrichment_queue as q
        where q.id in (select r.queue_id from enrichment.import_rows as r where r.import_id = i.id)
    ) as q
    cross join lateral (
        select count(*)::integer as undoable
        from (
            select q.work_id
            from public.enrichment_queue as q
            where q.id in (select r.queue_id from enrichment.import_rows as r where r.import_id = i.id)
                and q.import_id = i.id and q.undone_at is null and not q.is_open and (q.status = 'needs_review' or q.fields_applied <> '{}')
            union
            select w.work_id
            from enrichment.logged_writes(null, i.id, array(
                select r.work_id from enrichment.import_rows as r where r.import_id = i.id and r.outcome <> 'created'
            )) as w
        ) as filled
    ) as u
    where i.id = any(import_states.import_ids)
    order by i.created_at desc, i.id desc
$$;
comment on function enrichment.import_states(uuid[]) is 'How far imports are: rows by outcome, their books'' queue rows by state, and how many books undo_import() would take something back in.';

create function enrichment.enrichment_imports_impl(page_size integer)
returns setof enrichment.import_state
language plpgsql stable security definer set search_path = '' set jit = off
as $$
declare
    reader uuid := enrichment.acting_reader();
begin
    perform enrichment.refuse_bad_page(enrichment_imports_impl.page_size);
    return query
    select s.*
    from enrichment.import_states(array(
        select i.id from enrichment.imports as i where reader is null or i.user_id = reader
        order by i.created_at desc, i.id desc limit enrichment_imports_impl.page_size
    )) as s;
end
$$;

create function enrichment.enrichment_import_impl(import_id uuid)
returns setof enrichment.import_state
language plpgsql stable security definer set search_path = '' set jit = off
as $$
begin
    perform enrichment.refuse_foreign_import(enrichment_import_impl.import_id);
    return query select s.* from enrichment.import_states(array[enrichment_import_impl.import_id]) as s;
end
$$;

create function enrichment.enrichment_import_rows_impl(import_id uuid, page_size integer, cursor integer)
returns setof enrichment.import_line
language plpgsql stable security definer set search_path = '' set jit = off
as $$
begin
    perform enrichment.refuse_bad_page(enrichment_import_rows_impl.page_size);
    perform enrichment.refuse_foreign_import(enrichment_import_rows_impl.import_id);
    return query
    select r.row_number, r.title, r.authors, r.outcome, r.reason, r.work_id, r.queue_id, q.status, r.row_number
    from enrichment.import_rows as r
    left join public.enrichment_queue as q on q.id = r.queue_id
    where r.import_id = enrichment_import_rows_impl.import_id and r.row_number > coalesce(enrichment_import_rows_impl.cursor, -1)
    order by r.row_number
    limit enrichment_import_rows_impl.page_size;
end
$$;
