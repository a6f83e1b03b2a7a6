-- Looking without touching. For readers: badges, the queue page, the library grid with its counts, the history of a book, imports and
-- how far they are. For everybody: what of the free tier is used up. For the operator: when a worker should come back, the overview.
-- A reader sees queue rows and history of books in the own library, the own imports only, and never who else acted.

create function enrichment.enrichment_status_impl(work_ids uuid[])
returns setof enrichment.work_state
language plpgsql stable security definer set search_path = '' set jit = off set random_page_cost = 1.1
as $$
declare
    reader uuid := enrichment.acting_reader();
begin
    perform enrichment.refuse_long_list(cardinality(enrichment_status_impl.work_ids));
    return query
    select
        w.id, q.id, q.status, q.confidence, q.wait_reason, nullif(q.next_attempt_after, 'infinity'), q.last_error,
        coalesce(q.cover_applied, false), coalesce(q.fields_applied, '{}'), w.default_cover_url, w.last_enriched_at, q.undone_at
    from public.works as w
    left join lateral (
        select * from public.enrichment_queue as newest
        where newest.work_id = w.id
        order by newest.created_at desc, newest.id desc
        limit 1
    ) as q on true
    where w.id = any(enrichment_status_impl.work_ids)
        and (reader is null or exists (select 1 from public.library_items as i where i.user_id = reader and i.work_id = w.id))
    order by array_position(enrichment_status_impl.work_ids, w.id);
end
$$;
revoke all on function enrichment.enrichment_status_impl(uuid[]) from public, anon, authenticated, service_role;
grant execute on function enrichment.enrichment_status_impl(uuid[]) to authenticated, service_role;

create function public.enrichment_status(work_ids uuid[])
returns setof enrichment.work_state
language sql stable set search_path = ''
as $$
    select * from enrichment.enrichment_status_impl(enrichment_status.work_ids)
$$;
comment on function public.enrichment_status(uuid[]) is
'One line per work of the own library: state of its newest queue row (null: never queued), why it waits and until when (null: until a setting changes), what was filled. Works that are not in the library are left out.';
revoke all on function public.enrichment_status(uuid[]) from public, anon, authenticated, service_role;
grant execute on function public.enrichment_status(uuid[]) to authenticated, service_role;

create function enrichment.refuse_bad_page(page_size integer)
returns void
language plpgsql stable set search_path = ''
as $$
begin
    if refuse_bad_page.page_size is null or refuse_bad_page.page_size not between 1 and 1000 then
        perform enrichment.refuse('PT422', 'page_size is not between 1 and 1,000', 'PostgREST cuts replies at 1,000 rows; ask for the next page');
    end if;
end
$$;
comment on function enrichment.refuse_bad_page(integer) is 'PT422 for a page that is empty or that PostgREST would cut.';
revoke all on function enrichment.refuse_bad_page(integer) from public, anon, authenticated, service_role;

create function enrichment.author_names(work_id uuid)
returns text[]
language plpgsql stable set search_path = ''
as $$
begin
    return array(
        select a.name::text from public.work_authors as wa join public.authors as a on a.id = wa.author_id
        where wa.work_id = author_names.work_id order by a.name
    );
end
$$;
comment on function enrichment.author_names(uuid) is 'The authors of a work, by name.';
revoke all on function enrichment.author_names(uuid) from public, anon, authenticated, service_role;

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
revoke all on function enrichment.queue_page(uuid, enrichment.queue_status, integer, uuid) from public, anon, authenticated, service_role;

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
revoke all on function enrichment.shown_proposals(public.enrichment_queue, jsonb) from public, anon, authenticated, service_role;

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
revoke all on function enrichment.may_undo(uuid, public.enrichment_queue) from public, anon, authenticated, service_role;

create function enrichment.list_enrichment_impl(status text, page_size integer, cursor text)
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
        q.created_at, q.finished_at, q.undone_at, q.id::text
    from public.enrichment_queue as q
    join public.works as w on w.id = q.work_id
    left join public.editions as e on e.id = q.edition_id
    cross join lateral enrichment.current_values(w, e) as present (fields)
    where q.id = any(page)
    order by q.id desc;
end
$$;
revoke all on function enrichment.list_enrichment_impl(text, integer, text) from public, anon, authenticated, service_role;
grant execute on function enrichment.list_enrichment_impl(text, integer, text) to authenticated, service_role;

create function public.list_enrichment(status text default null, page_size integer default 50, cursor text default null)
returns setof enrichment.listed_row
language sql stable set search_path = ''
as $$
    select * from enrichment.list_enrichment_impl(list_enrichment.status, list_enrichment.page_size, list_enrichment.cursor)
$$;
comment on function public.list_enrichment(text, integer, text) is
'Queue rows of the own library, newest first, each with all that a review panel shows: the sentence, every value as it is now, every proposal beside it, and is_mine (you may undo it). The cursor of the last row gets the next page. PT422 for an unknown status, page_size beyond 1,000 or a foreign cursor.';
revoke all on function public.list_enrichment(text, integer, text) from public, anon, authenticated, service_role;
grant execute on function public.list_enrichment(text, integer, text) to authenticated, service_role;

create view enrichment.shelf_lines with (security_invoker = true) as
select
    i.user_id, i.id as library_item_id, i.created_at as added_at, w.id as work_id, (e.edition).id as edition_id, w.title,
    coalesce(
        nullif(to_jsonb(i) ->> 'cover_override_url', ''),
        case when (e.edition).id = i.preferred_edition_id then nullif((e.edition).cover_url, '') end, nullif(w.default_cover_url, '')
    ) as cover_url,
    w.first_publish_year, q.status, q.id as queue_id, q.confidence, q.wait_reason,
    case when q.status = 'pending' then nullif(q.next_attempt_after, 'infinity') end as next_attempt_after, q.last_error, q.undone_at,
    enrichment.missing_fields(w, e.edition) as missing
from public.library_items as i
join public.works as w on w.id = i.work_id
left join lateral (
    select own as edition
    from public.editions as own
    where own.work_id = w.id
    order by own.id <> i.preferred_edition_id, coalesce(own.isbn13, '') = '', coalesce(own.isbn10, '') = '', own.created_at, own.id
    limit 1
) as e on true
left join lateral (
    select newest.*
    from public.enrichment_queue as newest
    where newest.work_id = w.id
    order by newest.created_at desc, newest.id desc
    limit 1
) as q on true;
revoke all on enrichment.shelf_lines from public, anon, authenticated, service_role;
comment on view enrichment.shelf_lines is
'Each book on a shelf as its reader sees it: the cover that is shown (override, preferred edition, work), what is missing, and its newest queue row.';

create function enrichment.shelf_page(reader uuid, filter text, page_size integer, before_moment timestamptz, before_item uuid)
returns uuid[]
language plpgsql stable set search_path = '' set random_page_cost = 1.1 set plan_cache_mode = force_custom_plan
as $$
begin
    if shelf_page.filter is null then
        return array(
            select i.id from public.library_items as i
            where i.user_id = shelf_page.reader and (i.created_at, i.id) < (shelf_page.before_moment, shelf_page.before_item)
            order by i.created_at desc, i.id desc limit shelf_page.page_size
        );
    end if;
    return array(
        select s.library_item_id from enrichment.shelf_lines as s
        where s.user_id = shelf_page.reader and (s.added_at, s.library_item_id) < (shelf_page.before_moment, shelf_page.before_item)
            and case
                when shelf_page.filter = 'missing' then s.missing <> '{}' else s.status = shelf_page.filter::enrichment.queue_status
            end
        order by s.added_at desc, s.library_item_id desc limit shelf_page.page_size
    );
end
$$;
comment on function enrichment.shelf_page(uuid, text, integer, timestamptz, uuid) is
'Ids of the newest books on a reader''s shelf before one, in one state (null: in any) or with something missing.';
revoke all on function enrichment.shelf_page(uuid, text, integer, timestamptz, uuid) from public, anon, authenticated, service_role;

create function enrichment.enrichment_library_impl(filter text, page_size integer, cursor text)
returns setof enrichment.library_line
language plpgsql stable security definer set search_path = '' set jit = off set random_page_cost = 1.1
as $$
declare
    reader uuid := enrichment.current_reader();
    -- Moments as whole microseconds: exact, and without a character that a URL would change.
    before text[] := regexp_match(enrichment_library_impl.cursor, '^([0-9]{1,17})_([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$');
    page uuid[];
begin
    perform enrichment.refuse_bad_page(enrichment_library_impl.page_size);
    if enrichment_library_impl.filter <> 'missing' and enrichment_library_impl.filter <> all(enum_range(null::enrichment.queue_status)::text[]) then
        perform enrichment.refuse('PT422', format('unknown filter %s', enrichment_library_impl.filter), 'use missing, or a status: pending, needs_review …');
    end if;
    if enrichment_library_impl.cursor is not null and before is null then
        perform enrichment.refuse('PT422', 'cursor is not one that a page ended with', 'send the cursor of the last row, or null for the first page');
    end if;
    page := enrichment.shelf_page(
        reader, enrichment_library_impl.filter, enrichment_library_impl.page_size,
        coalesce(timestamptz 'epoch' + before[1]::bigint * interval '1 microsecond', 'infinity'),
        coalesce(before[2], 'ffffffff-ffff-ffff-ffff-ffffffffffff')::uuid
    );

    return query
    select
        s.work_id, s.library_item_id, s.edition_id, s.title::text, enrichment.author_names(s.work_id), s.cover_url, s.first_publish_year::integer,
        s.status, s.queue_id, s.confidence, s.wait_reason, s.next_attempt_after, s.last_error, s.undone_at, s.missing,
        (extract(epoch from s.added_at) * 1000000)::bigint || '_' || s.library_item_id
    from enrichment.shelf_lines as s
    where s.library_item_id = any(page)
    order by s.added_at desc, s.library_item_id desc;
end
$$;
revoke all on function enrichment.enrichment_library_impl(text, integer, text) from public, anon, authenticated, service_role;
grant execute on function enrichment.enrichment_library_impl(text, integer, text) to authenticated;

create function public.enrichment_library(filter text default null, page_size integer default 60, cursor text default null)
returns setof enrichment.library_line
language sql stable set search_path = ''
as $$
    select * from enrichment.enrichment_library_impl(enrichment_library.filter, enrichment_library.page_size, enrichment_library.cursor)
$$;
comment on function public.enrichment_library(text, integer, text) is
'The own library, newest book first: the cover that is shown, the state of its newest queue row (null: never queued) and which fields are missing. filter: a status, or missing. The cursor of the last row gets the next page. PT403 without a reader, PT422.';
revoke all on function public.enrichment_library(text, integer, text) from public, anon, authenticated, service_role;
grant execute on function public.enrichment_library(text, integer, text) to authenticated;

create function enrichment.enrichment_summary_impl()
returns setof enrichment.library_summary
language plpgsql stable security definer set search_path = '' set jit = off set random_page_cost = 1.1
as $$
declare
    reader uuid := enrichment.current_reader();
begin
    return query
    with books as materialized (
        select
            s.cover_url is null as is_bare, s.missing <> '{}' as is_missing, s.status, s.wait_reason, s.next_attempt_after,
            exists (
                select 1 from public.enrichment_queue as q where q.work_id = s.work_id and q.cover_applied and q.undone_at is null
            ) as has_our_cover
        from enrichment.shelf_lines as s
        where s.user_id = reader
    )

    select
        count(*)::integer, count(*) filter (where b.is_bare)::integer, count(*) filter (where b.is_missing)::integer,
        count(*) filter (where b.status = 'pending')::integer, count(*) filter (where b.status = 'in_progress')::integer,
        count(*) filter (where b.status = 'completed')::integer, count(*) filter (where b.status = 'needs_review')::integer,
        count(*) filter (where b.status = 'failed')::integer, count(*) filter (where b.status = 'skipped')::integer,
        count(*) filter (where b.has_our_cover)::integer, min(b.next_attempt_after),
        (array_agg(b.wait_reason order by b.next_attempt_after nulls last) filter (where b.status = 'pending'))[1]
    from books as b;
end
$$;
revoke all on function enrichment.enrichment_summary_impl() from public, anon, authenticated, service_role;
grant execute on function enrichment.enrichment_summary_impl() to authenticated;

create function public.enrichment_summary()
returns setof enrichment.library_summary
language sql stable set search_path = ''
as $$
    select * from enrichment.enrichment_summary_impl()
$$;
comment on function public.enrichment_summary() is
'The own library in one row: books, how many show no cover, how many lack anything, how many are in each state by their newest queue row, how many covers enrichment filled, and when (null: not before a setting changes) and why the next waiting row is due. PT403 without a reader.';
revoke all on function public.enrichment_summary() from public, anon, authenticated, service_role;
grant execute on function public.enrichment_summary() to authenticated;

create function enrichment.enrichment_history_impl(work_id uuid)
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
        a.actor is not distinct from reader, a.created_at
    from public.enrichment_audit_log as a
    where a.work_id = enrichment_history_impl.work_id
    order by a.created_at desc, a.id desc
    limit 200;
end
$$;
revoke all on function enrichment.enrichment_history_impl(uuid) from public, anon, authenticated, service_role;
grant execute on function enrichment.enrichment_history_impl(uuid) to authenticated, service_role;

create function public.enrichment_history(work_id uuid)
returns setof enrichment.history_line
language sql stable set search_path = ''
as $$
    select * from enrichment.enrichment_history_impl(enrichment_history.work_id)
$$;
comment on function public.enrichment_history(uuid) is
'What enrichment and its readers did to a book of the own library, newest first, at most 200 lines: values before and after, from where, why, and is_mine (it was you). PT404, PT403.';
revoke all on function public.enrichment_history(uuid) from public, anon, authenticated, service_role;
grant execute on function public.enrichment_history(uuid) to authenticated, service_role;

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
        perform enrichment.refuse('PT404', format('no import %s', refuse_foreign_import.import_id), 'see enrichment_imports(); old ones are pruned');
    elsif owner <> reader then
        perform enrichment.refuse('PT403', format('import %s is another reader''s', refuse_foreign_import.import_id), 'see enrichment_imports()');
    end if;
end
$$;
comment on function enrichment.refuse_foreign_import(uuid) is 'PT404 for an unknown import, PT403 for another reader''s; the service may see them all.';
revoke all on function enrichment.refuse_foreign_import(uuid) from public, anon, authenticated, service_role;

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
            count(*) filter (where r.outcome = 'matched')::integer as matched, count(*) filter (where r.outcome = 'duplicate')::integer as duplicate,
            count(*) filter (where r.outcome = 'rejected')::integer as rejected
        from enrichment.import_rows as r
        where r.import_id = i.id
    ) as r
    cross join lateral (
        select
            count(*) filter (where q.status = 'pending')::integer as pending, count(*) filter (where q.status = 'in_progress')::integer as in_progress,
            count(*) filter (where q.status = 'completed')::integer as completed, count(*) filter (where q.status = 'needs_review')::integer as needs_review,
            count(*) filter (where q.status = 'failed')::integer as failed, count(*) filter (where q.status = 'skipped')::integer as skipped,
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
revoke all on function enrichment.import_states(uuid[]) from public, anon, authenticated, service_role;

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
revoke all on function enrichment.enrichment_imports_impl(integer) from public, anon, authenticated, service_role;
grant execute on function enrichment.enrichment_imports_impl(integer) to authenticated, service_role;

create function public.enrichment_imports(page_size integer default 20)
returns setof enrichment.import_state
language sql stable set search_path = ''
as $$
    select * from enrichment.enrichment_imports_impl(enrichment_imports.page_size)
$$;
comment on function public.enrichment_imports(integer) is
'The own imports, newest first, and how far each is. The service sees everybody''s. PT422 for a page beyond 1,000.';
revoke all on function public.enrichment_imports(integer) from public, anon, authenticated, service_role;
grant execute on function public.enrichment_imports(integer) to authenticated, service_role;

create function enrichment.enrichment_import_impl(import_id uuid)
returns setof enrichment.import_state
language plpgsql stable security definer set search_path = '' set jit = off
as $$
begin
    perform enrichment.refuse_foreign_import(enrichment_import_impl.import_id);
    return query select s.* from enrichment.import_states(array[enrichment_import_impl.import_id]) as s;
end
$$;
revoke all on function enrichment.enrichment_import_impl(uuid) from public, anon, authenticated, service_role;
grant execute on function enrichment.enrichment_import_impl(uuid) to authenticated, service_role;

create function public.enrichment_import(import_id uuid)
returns setof enrichment.import_state
language sql stable set search_path = ''
as $$
    select * from enrichment.enrichment_import_impl(enrichment_import.import_id)
$$;
comment on function public.enrichment_import(uuid) is
'How far an own import is, in one row: expected_rows (null: not said) against rows read, by outcome; then the queue rows of its books by state, covers filled, rows undone, and in how many books undo_import() would take something back. PT404, PT403.';
revoke all on function public.enrichment_import(uuid) from public, anon, authenticated, service_role;
grant execute on function public.enrichment_import(uuid) to authenticated, service_role;

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
revoke all on function enrichment.enrichment_import_rows_impl(uuid, integer, integer) from public, anon, authenticated, service_role;
grant execute on function enrichment.enrichment_import_rows_impl(uuid, integer, integer) to authenticated, service_role;

create function public.enrichment_import_rows(import_id uuid, page_size integer default 100, cursor integer default null)
returns setof enrichment.import_line
language sql stable set search_path = ''
as $$
    select * from enrichment.enrichment_import_rows_impl(
        enrichment_import_rows.import_id, enrichment_import_rows.page_size, enrichment_import_rows.cursor
    )
$$;
comment on function public.enrichment_import_rows(uuid, integer, integer) is
'The lines of an own import in the order of the file: what became of each, its book, and the state of its queue row (null: it was not queued). The cursor of the last row gets the next page. PT404, PT403, PT422.';
revoke all on function public.enrichment_import_rows(uuid, integer, integer) from public, anon, authenticated, service_role;
grant execute on function public.enrichment_import_rows(uuid, integer, integer) to authenticated, service_role;

create function enrichment.stored_bytes()
returns bigint
language plpgsql stable set search_path = ''
as $$
declare
    ours bigint := (select u.bytes from enrichment.cover_storage as u);
    whole bigint;
begin
    -- Storage keeps the size of each file; a project may have no Storage, or may not let us look.
    if has_table_privilege(to_regclass('storage.objects'), 'select') then
        select sum(case when o.metadata ->> 'size' ~ '^[0-9]{1,15}$' then (o.metadata ->> 'size')::bigint end)::bigint into whole
        from storage.objects as o;
    end if;
    return greatest(ours, whole);
end
$$;
comment on function enrichment.stored_bytes() is 'Bytes of all files in the project''s Storage; of our own covers alone where Storage does not tell.';
revoke all on function enrichment.stored_bytes() from public, anon, authenticated, service_role;

create function enrichment.enrichment_usage_impl()
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
        'calls', p.provider, s.used_today::bigint, p.daily_limit::bigint, 'calls',
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
revoke all on function enrichment.enrichment_usage_impl() from public, anon, authenticated, service_role;
grant execute on function enrichment.enrichment_usage_impl() to authenticated, service_role;

create function public.enrichment_usage()
returns setof enrichment.usage_line
language sql stable set search_path = ''
as $$
    select * from enrichment.enrichment_usage_impl()
$$;
comment on function public.enrichment_usage() is
'The free-tier meter, a line each: database (bytes against database_budget_bytes), covers (storage: all files against storage_budget_bytes; budget: our covers against cover_budget_bytes), calls (of today per provider against its daily limit, null for none, until its midnight), waiting (pending rows per reason and when the first is due; a reader''s own library only).';
revoke all on function public.enrichment_usage() from public, anon, authenticated, service_role;
grant execute on function public.enrichment_usage() to authenticated, service_role;

create view enrichment.overview with (security_invoker = true) as
select
    q.status, q.wait_reason, count(*) as "rows", min(q.created_at) as oldest,
    nullif(min(q.next_attempt_after) filter (where q.status = 'pending'), 'infinity') as until
from public.enrichment_queue as q
group by q.status, q.wait_reason
order by q.status, q.wait_reason;
revoke all on enrichment.overview from public, anon, authenticated, service_role;
comment on view enrichment.overview is
'Rows by state and reason for waiting, the oldest of each, and when the first of them is due (null: not before a setting changes).';

create function enrichment.enrichment_overview_impl()
returns setof enrichment.state_count
language sql stable security definer set search_path = ''
as $$
    select o.status, o.wait_reason, o."rows", o.oldest, o.until from enrichment.overview as o
$$;
revoke all on function enrichment.enrichment_overview_impl() from public, anon, authenticated, service_role;
grant execute on function enrichment.enrichment_overview_impl() to service_role;

create function public.enrichment_overview()
returns setof enrichment.state_count
language sql stable set search_path = ''
as $$
    select * from enrichment.enrichment_overview_impl()
$$;
comment on function public.enrichment_overview() is 'enrichment.overview for the service role: status, wait_reason, rows, oldest, until.';
revoke all on function public.enrichment_overview() from public, anon, authenticated, service_role;
grant execute on function public.enrichment_overview() to service_role;

create function enrichment.enrichment_providers_impl()
returns setof enrichment.provider_state
language sql stable security definer set search_path = ''
as $$
    select
        p.provider, p.is_enabled, s.wait_reason, nullif(s.available_at, 'infinity'), s.tokens, p.rate_per_second, p.burst_size, s.used_today,
        p.daily_limit, p.daily_reserve, p.failures, p.last_error
    from enrichment.provider_states as s
    join enrichment.providers as p on p.provider = s.provider
    order by p."position"
$$;
revoke all on function enrichment.enrichment_providers_impl() from public, anon, authenticated, service_role;
grant execute on function enrichment.enrichment_providers_impl() to service_role;

create function public.enrichment_providers()
returns setof enrichment.provider_state
language sql stable set search_path = ''
as $$
    select * from enrichment.enrichment_providers_impl()
$$;
comment on function public.enrichment_providers() is
'One line per provider in the order of asking: wait_reason (null: may be called now; disabled, no_contact, no_key, bad_key, quota_zero, identify, unknown_location, retry_after, breaker, daily, rate) and until when (null: until a setting changes), calls left in its bucket and how they come back, calls of today and their limit, consecutive failures, the last error.';
revoke all on function public.enrichment_providers() from public, anon, authenticated, service_role;
grant execute on function public.enrichment_providers() to service_role;

create function enrichment.enrichment_due_impl()
returns setof enrichment.due
language sql stable security definer set search_path = ''
as $$
    with open_rows as (
        select q.status, q.next_attempt_after, q.wait_reason from public.enrichment_queue as q where q.is_open
    ),

    next_row as (
        select o.next_attempt_after, o.wait_reason
        from open_rows as o
        where o.status = 'pending' and o.next_attempt_after < 'infinity'
        order by o.next_attempt_after
        limit 1
    )

    select
        n.next_attempt_after,
        case when n.next_attempt_after is not null then round(greatest(extract(epoch from n.next_attempt_after - clock_timestamp()), 0), 3) end,
        n.wait_reason,
        (select count(*)::integer from open_rows as o where o.status = 'pending'),
        (select count(*)::integer from open_rows as o where o.status = 'in_progress')
    from (select) as always
    left join next_row as n on true
$$;
revoke all on function enrichment.enrichment_due_impl() from public, anon, authenticated, service_role;
grant execute on function enrichment.enrichment_due_impl() to service_role;

create function public.enrichment_due()
returns setof enrichment.due
language sql stable set search_path = ''
as $$
    select * from enrichment.enrichment_due_impl()
$$;
comment on function public.enrichment_due() is
'When a worker should come back: due_at and due_in (seconds, 0 for now) of the next pending row, why it waits, and how many are pending and in progress. both are null where nothing will be due by itself.';
revoke all on function public.enrichment_due() from public, anon, authenticated, service_role;
grant execute on function public.enrichment_due() to service_role;
