-- The queue page: rows of the own library, newest first, each proposal beside the present value; pages by cursor.

create type enrichment.listed_row as (
    queue_id uuid, work_id uuid, edition_id uuid, import_id uuid, title text, authors text [], status enrichment.queue_status,
    confidence enrichment.confidence, wait_reason text, next_attempt_after timestamptz, last_error text, cover_url text,
    cover_applied boolean, fields_applied text [], providers_attempted text [], sentence text, current_values jsonb, proposals jsonb,
    match_details jsonb, trigger_source enrichment.trigger_source, is_mine boolean, created_at timestamptz, finished_at timestamptz,
    undone_at timestamptz, cursor text, is_undoable boolean
);
comment on type enrichment.listed_row is 'A queue row with all that a review panel shows.';
comment on column enrichment.listed_row.edition_id is 'Whose empty fields may be filled. Null: none is known.';
comment on column enrichment.listed_row.import_id is 'The own import it came with. Null: none, or another reader''s.';
comment on column enrichment.listed_row.confidence is 'Of the best candidate. Null: none was weighed.';
comment on column enrichment.listed_row.wait_reason is 'Why a pending row waits. Null: it does not.';
comment on column enrichment.listed_row.next_attempt_after is 'Until when a pending row waits. Null: until a setting changes.';
comment on column enrichment.listed_row.last_error is 'Null: it met none.';
comment on column enrichment.listed_row.cover_url is 'What the work shows today. Null: no cover.';
comment on column enrichment.listed_row.cover_applied is 'This row filled the cover.';
comment on column enrichment.listed_row.fields_applied is 'Fields this row filled.';
comment on column enrichment.listed_row.sentence is 'The score in words. Null: nothing was weighed yet.';
comment on column enrichment.listed_row.current_values is 'Every field that may be filled, as it is now: {field: value}.';
comment on column enrichment.listed_row.proposals is
'What a row in review would fill: {field: {"value", "current", "provider", "source_url", "confidence", "candidate"}}.';
comment on column enrichment.listed_row.match_details is 'The best candidates with their score parts. Null: nothing was weighed yet.';
comment on column enrichment.listed_row.trigger_source is 'Who asked.';
comment on column enrichment.listed_row.is_mine is 'The caller triggered or approved it. True for the service.';
comment on column enrichment.listed_row.finished_at is 'Null: it is in line or in review.';
comment on column enrichment.listed_row.undone_at is 'When what it wrote was taken back. Null: it was not.';
comment on column enrichment.listed_row.cursor is 'Give it back to get the rows after this one.';
comment on column enrichment.listed_row.is_undoable is 'undo_enrichment would take it back for the caller now.';

-- Pages are picked by ids first, then dressed: sorting whole rows of a large library cost ten times as much. The settings on these two say
-- that a reader's few hundred rows are in memory and that every call is planned for its own arguments; otherwise whole tables are read.
create function enrichment.queue_page(reader uuid, status enrichment.queue_status, page_size integer, before uuid)
returns uuid[]
language plpgsql stable set search_path = '' set random_page_cost = 1.1 set plan_cache_mode = force_custom_plan
as $$
begin
    -- A reader's rows are found by book: walking the whole queue for three hundred books would read all of it.
    if queue_page.reader is not null then
        return array(
            with own as materialized (
                select q.id, q.status
                from public.library_items as i
                join public.enrichment_queue as q on q.work_id = i.work_id
                where i.user_id = queue_page.reader
            )

            select o.id from own as o
            where o.id < queue_page.before and (queue_page.status is null or o.status = queue_page.status)
            order by o.id desc limit queue_page.page_size
        );
    -- The few open or undecided rows among many closed ones have indexes of their own.
    elsif queue_page.status in ('pending', 'in_progress') then
        return array(
            select q.id from public.enrichment_queue as q
            where q.is_open and q.id < queue_page.before and q.status = queue_page.status
            order by q.id desc limit queue_page.page_size
        );
    elsif queue_page.status = 'needs_review' then
        return array(
            select q.id from public.enrichment_queue as q
            where q.is_in_review and q.id < queue_page.before order by q.id desc limit queue_page.page_size
        );
    end if;
    return array(
        select q.id from public.enrichment_queue as q
        where q.id < queue_page.before and (queue_page.status is null or q.status = queue_page.status)
        order by q.id desc limit queue_page.page_size
    );
end
$$;
comment on function enrichment.queue_page(uuid, enrichment.queue_status, integer, uuid) is
'Ids of the newest queue rows before one, of a reader''s books (null: of all), in one state (null: in any).';

create function enrichment.shown_proposals(row_in_review public.enrichment_queue, present jsonb)
returns jsonb
language plpgsql stable set search_path = ''
as $$
begin
    if row_in_review.status <> 'needs_review' then
        return '{}'::jsonb;
    end if;
    return (
        select coalesce(jsonb_object_agg(p.key, jsonb_build_object(
            'value', p.value -> 'value', 'current', shown_proposals.present -> p.key, 'provider', p.value -> 'provider',
            'source_url', enrichment.source_url(p.value ->> 'provider', p.value ->> 'work_key'), 'confidence', p.value -> 'confidence',
            'candidate', coalesce(p.value ->> 'candidate', (p.value ->> 'provider') || ':' || (p.value ->> 'work_key'))
        )), '{}')
        from jsonb_each(row_in_review.match_details -> 'proposals') as p
    );
end
$$;
comment on function enrichment.shown_proposals(public.enrichment_queue, jsonb) is
'What a row in review proposes, each value beside the present one, whose it is and where to look it up; {} for any other row.';

create function enrichment.list_enrichment_impl(status text, page_size integer, cursor text)
returns setof enrichment.listed_row
language plpgsql stable security definer set search_path = '' set jit = off set random_page_cost = 1.1
as $$
declare
    reader uuid := enrichment.acting_reader();
    page uuid[];
    undoable uuid[];
begin
    perform enrichment.refuse_bad_page(list_enrichment_impl.page_size);
    if list_enrichment_impl.status <> all(enum_range(null::enrichment.queue_status)::text[]) then
        perform enrichment.refuse(
            'PT422', format('unknown status %s', list_enrichment_impl.status),
            'use pending, in_progress, completed, needs_review, failed or skipped'
        );
    end if;
    if list_enrichment_impl.cursor is not null and enrichment.uuid_of(list_enrichment_impl.cursor) is null then
        perform enrichment.refuse(
            'PT422', 'cursor is not one that a page ended with', 'send the cursor of the last row, or null for the first page'
        );
    end if;
    page := enrichment.queue_page(
        reader, list_enrichment_impl.status::enrichment.queue_status, list_enrichment_impl.page_size,
        coalesce(list_enrichment_impl.cursor, 'ffffffff-ffff-ffff-ffff-ffffffffffff')::uuid
    );
    undoable := enrichment.undoable_rows(reader, page);

    return query
    select
        q.id, q.work_id, q.edition_id,
        case
            when reader is null or exists (
                select 1 from enrichment.imports as m where m.id = q.import_id and m.user_id = reader
            ) then q.import_id
        end,
        w.title::text, enrichment.author_names(w.id), q.status, q.confidence, q.wait_reason, nullif(q.next_attempt_after, 'infinity'),
        q.last_error, w.default_cover_url, q.cover_applied, q.fields_applied, q.providers_attempted, q.match_details ->> 'sentence',
        present.fields, enrichment.shown_proposals(q, present.fields), q.match_details, q.trigger_source, enrichment.may_undo(reader, q),
        q.created_at, q.finished_at, q.undone_at, q.id::text, q.id = any(undoable)
    from public.enrichment_queue as q
    join public.works as w on w.id = q.work_id
    left join public.editions as e on e.id = q.edition_id
    cross join lateral enrichment.current_values(w, e) as present (fields)
    where q.id = any(page)
    order by q.id desc;
end
$$;
