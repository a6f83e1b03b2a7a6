-- The own shelf line by line and in numbers: cover, state, what is missing, what waits for what.

create type enrichment.library_line as (
    work_id uuid, library_item_id uuid, edition_id uuid, title text, authors text [], cover_url text, first_publish_year integer,
    status enrichment.queue_status, queue_id uuid, confidence enrichment.confidence, wait_reason text, next_attempt_after timestamptz,
    last_error text, undone_at timestamptz, missing text [], cursor text
);
comment on type enrichment.library_line is 'A book of the reader''s library, and how its newest queue row stands.';
comment on column enrichment.library_line.edition_id is 'The edition the shelf shows. Null: none is known.';
comment on column enrichment.library_line.cover_url is
'As the reader sees it: chosen by hand, the edition''s, the work''s. Null: no cover.';
comment on column enrichment.library_line.first_publish_year is 'Null: it is not known.';
comment on column enrichment.library_line.status is 'Null: the work was never queued.';
comment on column enrichment.library_line.queue_id is 'Null: the work was never queued.';
comment on column enrichment.library_line.confidence is 'Of the best candidate. Null: none was weighed.';
comment on column enrichment.library_line.wait_reason is 'Why a pending row waits. Null: it does not.';
comment on column enrichment.library_line.next_attempt_after is
'Until when a pending row waits. Null: until a setting changes, or it does not wait.';
comment on column enrichment.library_line.last_error is 'Null: it met none.';
comment on column enrichment.library_line.undone_at is 'When what the row wrote was taken back. Null: it was not.';
comment on column enrichment.library_line.missing is 'Fields that are empty and not locked.';
comment on column enrichment.library_line.cursor is 'Give it back to get the books after this one.';

create type enrichment.library_summary as (
    books integer, missing_cover integer, missing_something integer, pending integer, in_progress integer, completed integer,
    needs_review integer, failed integer, skipped integer, covers_applied integer, next_due_at timestamptz, next_reason text
);
comment on type enrichment.library_summary is 'The reader''s library in numbers, each book by its newest queue row.';
comment on column enrichment.library_summary.missing_cover is 'Books that show no cover.';
comment on column enrichment.library_summary.missing_something is 'Books with a field that is empty and not locked.';
comment on column enrichment.library_summary.covers_applied is 'Books whose cover was filled and not taken back.';
comment on column enrichment.library_summary.next_due_at is
'When the next pending row is due. Null: once a setting changes, or none is pending.';
comment on column enrichment.library_summary.next_reason is 'What that row waits for. Null: none is pending.';

create type enrichment.shelf_line as (
    library_item_id uuid, added_at timestamptz, work_id uuid, edition_id uuid, title text, cover_url text, first_publish_year integer,
    status enrichment.queue_status, queue_id uuid, confidence enrichment.confidence, wait_reason text, next_attempt_after timestamptz,
    last_error text, undone_at timestamptz, missing text []
);
comment on type enrichment.shelf_line is 'A book on a shelf as its reader sees it, and how its newest queue row stands.';

create function enrichment.cover_overrides(library_item_ids uuid[])
returns jsonb
language plpgsql stable set search_path = ''
as $$
declare
    overrides jsonb := jsonb '{}';
begin
    -- Some hosts have no such column, so it is named in a text; turning each row into JSON instead took a quarter of a shelf's time.
    if exists (
        select 1 from pg_catalog.pg_attribute as a
        where a.attrelid = 'public.library_items'::regclass and a.attname = 'cover_override_url' and not a.attisdropped
    ) then
        execute
            'select coalesce(jsonb_object_agg(i.id, i.cover_override_url), ''{}'')'
            || ' from unnest($1) as asked (id) join public.library_items as i on i.id = asked.id where i.cover_override_url <> '''''
        into overrides using cover_overrides.library_item_ids;
    end if;
    return overrides;
end
$$;
comment on function enrichment.cover_overrides(uuid[]) is 'The covers that readers chose themselves for these books on a shelf: {"library item": "https://…"}.';

create function enrichment.shelf_lines(library_item_ids uuid[])
returns setof enrichment.shelf_line
language plpgsql stable set search_path = '' set random_page_cost = 1.1
as $$
declare
    overrides jsonb := enrichment.cover_overrides(shelf_lines.library_item_ids);
begin
    return query
    select
        i.id, i.created_at, w.id, (e.edition).id, w.title::text,
        coalesce(
            overrides ->> i.id::text,
            case when (e.edition).id = i.preferred_edition_id then nullif((e.edition).cover_url, '') end, nullif(w.default_cover_url, '')
        ),
        w.first_publish_year::integer, q.status, q.id, q.confidence, q.wait_reason,
        case when q.status = 'pending' then nullif(q.next_attempt_after, 'infinity') end, q.last_error, q.undone_at,
        enrichment.missing_fields(w, e.edition)
    from unnest(shelf_lines.library_item_ids) as asked (id)
    join public.library_items as i on i.id = asked.id
    join public.works as w on w.id = i.work_id
    -- All editions in one pass: a host may have no index by work, and a look for each book took 3 s for 1,000.
    left join (
        select distinct on (shelved.id) shelved.id as item_id, own as edition
        from unnest(shelf_lines.library_item_ids) as named (id)
        join public.library_items as shelved on shelved.id = named.id
        join public.editions as own on own.work_id = shelved.work_id
        order by
            shelved.id, own.id <> shelved.preferred_edition_id, coalesce(own.isbn13, '') = '', coalesce(own.isbn10, '') = '',
            own.created_at,
            own.id
    ) as e on e.item_id = i.id
    left join lateral (
        select newest.*
        from public.enrichment_queue as newest
        where newest.work_id = w.id
        order by newest.created_at desc, newest.id desc
        limit 1
    ) as q on true;
end
$$;
comment on function enrichment.shelf_lines(uuid[]) is
'Books on a shelf as their reader sees them: the cover that is shown (override, preferred edition, work), what is missing, and the newest queue row.';

create function enrichment.shelf_page(reader uuid, filter text, page_size integer, before_moment timestamptz, before_item uuid)
returns uuid[]
language plpgsql stable set search_path = '' set random_page_cost = 1.1
as $$
begin
    if shelf_page.filter is null then
        return array(
            select i.id from public.library_items as i
            where i.user_id = shelf_page.reader and (i.created_at, i.id) < (shelf_page.before_moment, shelf_page.before_item)
            order by i.created_at desc, i.id desc limit shelf_page.page_size
        );
    elsif shelf_page.filter = 'missing' then
        return array(
            select s.library_item_id
            from enrichment.shelf_lines(array(
                select i.id from public.library_items as i
                where i.user_id = shelf_page.reader and (i.created_at, i.id) < (shelf_page.before_moment, shelf_page.before_item)
            )) as s
            where s.missing <> '{}'
            order by s.added_at desc, s.library_item_id desc limit shelf_page.page_size
        );
    end if;
    return array(
        select i.id
        from public.library_items as i
        cross join lateral (
            select newest.status
            from public.enrichment_queue as newest
            where newest.work_id = i.work_id
            order by newest.created_at desc, newest.id desc
            limit 1
        ) as q
        where i.user_id = shelf_page.reader and (i.created_at, i.id) < (shelf_page.before_moment, shelf_page.before_item)
            and q.status = shelf_page.filter::enrichment.queue_status
        order by i.created_at desc, i.id desc limit shelf_page.page_size
    );
end
$$;
comment on function enrichment.shelf_page(uuid, text, integer, timestamptz, uuid) is
'Ids of the newest books on a reader''s shelf before one, in one state (null: in any) or with something missing.';

create function enrichment.enrichment_library_impl(filter text, page_size integer, cursor text)
returns setof enrichment.library_line
language plpgsql stable security definer set search_path = '' set jit = off set random_page_cost = 1.1
as $$
declare
    reader uuid := enrichment.current_reader();
    -- Moments as whole microseconds: exact, and without a character that a URL would change.
    before text[] := regexp_match(enrichment_library_impl.cursor, '^([0-9]{1,17})_(.*)$');
    page uuid[];
begin
    perform enrichment.refuse_bad_page(enrichment_library_impl.page_size);
    if enrichment_library_impl.filter <> 'missing'
        and enrichment_library_impl.filter <> all(enum_range(null::enrichment.queue_status)::text[]) then
        perform enrichment.refuse(
            'PT422', format('unknown filter %s', enrichment_library_impl.filter), 'use missing, or a status: pending, needs_review …'
        );
    end if;
    if enrichment_library_impl.cursor is not null and enrichment.uuid_of(before[2]) is null then
        perform enrichment.refuse(
            'PT422', 'cursor is not one that a page ended with', 'send the cursor of the last row, or null for the first page'
        );
    end if;
    page := enrichment.shelf_page(
        reader, enrichment_library_impl.filter, enrichment_library_impl.page_size,
        coalesce(timestamptz 'epoch' + before[1]::bigint * interval '1 microsecond', 'infinity'),
        coalesce(before[2], 'ffffffff-ffff-ffff-ffff-ffffffffffff')::uuid
    );

    return query
    select
        s.work_id, s.library_item_id, s.edition_id, s.title, enrichment.author_names(s.work_id), s.cover_url, s.first_publish_year,
        s.status, s.queue_id, s.confidence, s.wait_reason, s.next_attempt_after, s.last_error, s.undone_at, s.missing,
        (extract(epoch from s.added_at) * 1000000)::bigint || '_' || s.library_item_id
    from enrichment.shelf_lines(page) as s
    order by s.added_at desc, s.library_item_id desc;
end
$$;

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
        from enrichment.shelf_lines(array(select i.id from public.library_items as i where i.user_id = reader)) as s
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
