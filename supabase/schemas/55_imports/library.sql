-- The import as one call: read, match, create, fill, shelve, queue; one outcome per line.

create type enrichment.import_outcome as (
    row_number integer, outcome text, reason text, work_id uuid, edition_id uuid, library_item_id uuid, enrichment text, queue_id uuid
);
comment on type enrichment.import_outcome is 'What became of one line of an export.';
comment on column enrichment.import_outcome.row_number is 'As in a spreadsheet: the first book is 2.';
comment on column enrichment.import_outcome.outcome is 'created, matched, duplicate or rejected.';
comment on column enrichment.import_outcome.reason is 'Why it was rejected, or whose duplicate it is. Null: neither.';
comment on column enrichment.import_outcome.work_id is 'Null: it was rejected.';
comment on column enrichment.import_outcome.edition_id is 'Null: it was rejected, or no edition is known.';
comment on column enrichment.import_outcome.library_item_id is 'Null: it was rejected.';
comment on column enrichment.import_outcome.enrichment is
'What became of its work in line, as enqueue_outcome.outcome says. Null: it was rejected, or is not the book''s first line.';
comment on column enrichment.import_outcome.queue_id is 'Null: its work was not queued.';

create function enrichment.refuse_bad_import(user_id uuid, import_source text, "rows" jsonb, expected_rows integer)
returns void
language plpgsql stable set search_path = ''
as $$
begin
    if jsonb_typeof(refuse_bad_import."rows") is distinct from 'array' or jsonb_array_length(refuse_bad_import."rows") > 500 then
        perform enrichment.refuse(
            'PT422', 'rows is not an array of at most 500 elements', 'send a file in chunks, with the same import_id'
        );
    end if;
    if refuse_bad_import.import_source is null or refuse_bad_import.import_source not in ('goodreads', 'storygraph') then
        perform enrichment.refuse(
            'PT422', format('unknown import_source %s', refuse_bad_import.import_source), 'use goodreads or storygraph'
        );
    end if;
    if refuse_bad_import.expected_rows < 0 then
        perform enrichment.refuse('PT422', 'expected_rows is negative', 'say how many rows the file has, or leave it out');
    end if;
    if not exists (select 1 from public.users as u where u.id = refuse_bad_import.user_id) then
        perform enrichment.refuse('PT404', format('no user %s', refuse_bad_import.user_id), 'user_id is an id of public.users');
    end if;

    if (
        select count(*) > count(distinct line -> 'row_number')
        from jsonb_path_query(refuse_bad_import."rows", '$[*] ? (exists(@.row_number))') as line
    ) then
        perform enrichment.refuse('PT422', 'a row_number comes twice', 'number the rows of a file from its first line on');
    end if;
end
$$;
comment on function enrichment.refuse_bad_import(uuid, text, jsonb, integer) is
'PT422 for lines or a source that make no sense, PT404 for an unknown reader.';

create function enrichment.begin_import(import_id uuid, user_id uuid, import_source text, expected_rows integer)
returns void
language plpgsql set search_path = ''
as $$
begin
    perform pg_advisory_xact_lock(hashtextextended('enrichment.import_library', 0));
    insert into enrichment.imports as i (id, user_id, import_source, expected_rows)
    values (begin_import.import_id, begin_import.user_id, begin_import.import_source, begin_import.expected_rows)
    on conflict (id) do update set expected_rows = coalesce(excluded.expected_rows, i.expected_rows) where i.user_id = excluded.user_id;
    if not exists (select 1 from enrichment.imports as i where i.id = begin_import.import_id and i.user_id = begin_import.user_id) then
        perform enrichment.refuse('PT403', format('import %s is another reader''s', begin_import.import_id), 'choose a new import_id');
    end if;
end
$$;
comment on function enrichment.begin_import(uuid, uuid, text, integer) is
'Imports take turns from here on, to the end of the transaction. PT403 where the id is another reader''s.';

create function enrichment.queue_import(import_id uuid, user_id uuid, row_numbers integer[])
returns void
language sql set search_path = ''
as $$
    with books as (
        select distinct on (r.work_id) r.work_id, r.edition_id, r.row_number
        from enrichment.import_rows as r
        where r.import_id = queue_import.import_id and r.row_number = any(queue_import.row_numbers)
        order by r.work_id, r.row_number
    ),

    queued as (
        select o.*
        from (
            select
                array_agg(b.work_id order by b.row_number) as work_ids, array_agg(b.edition_id order by b.row_number) as edition_ids
            from books as b
        ) as batch
        cross join lateral enrichment.enqueue_works(
            batch.work_ids, batch.edition_ids, 'post_import', queue_import.user_id, 100, queue_import.import_id
        ) as o
    )

    update enrichment.import_rows as r
    set enrichment = queued.outcome, queue_id = queued.queue_id
    from queued
    where r.import_id = queue_import.import_id and r.row_number = any(queue_import.row_numbers) and r.work_id = queued.work_id
$$;
comment on function enrichment.queue_import(uuid, uuid, integer[]) is
'Queues the books of these lines, in their order, each with the edition of its first line, and notes the outcome beside every line.';

create function enrichment.unqueue_complete(import_id uuid, row_numbers integer[])
returns void
language plpgsql set search_path = ''
as $$
declare
    enqueued_ids uuid[] := array(
        select r.queue_id from enrichment.import_rows as r
        where r.import_id = unqueue_complete.import_id and r.row_number = any(unqueue_complete.row_numbers) and r.enrichment = 'enqueued'
    );
begin
    with completed as (
        delete from public.enrichment_queue as q
        where q.id = any(enqueued_ids) and q.id not in (select gaps.queue_id from enrichment.wanted_fields(enqueued_ids) as gaps)
        returning q.id
    )

    update enrichment.import_rows as r
    set enrichment = 'complete', queue_id = null
    from completed
    where r.import_id = unqueue_complete.import_id and r.queue_id = completed.id;
end
$$;
comment on function enrichment.unqueue_complete(uuid, integer[]) is
'Takes back the queue rows of lines whose own columns have filled the last gap.';

create function enrichment.import_library_impl(user_id uuid, import_source text, "rows" jsonb, import_id uuid, expected_rows integer)
returns setof enrichment.import_outcome
language plpgsql security definer set search_path = '' set jit = off
as $$
declare
    this_import uuid := coalesce(import_library_impl.import_id, gen_random_uuid());
    new_rows integer[];
begin
    perform enrichment.refuse_bad_import(
        import_library_impl.user_id, import_library_impl.import_source, import_library_impl."rows", import_library_impl.expected_rows
    );
    perform enrichment.begin_import(
        this_import, import_library_impl.user_id, import_library_impl.import_source, import_library_impl.expected_rows
    );
    with added as (
        insert into enrichment.import_rows as r
        select * from enrichment.read_import_rows(this_import, import_library_impl."rows")
        on conflict do nothing
        returning r.row_number, r.outcome
    )

    select array_agg(added.row_number) into new_rows from added where added.outcome is null;

    perform enrichment.parse_new_works();
    perform enrichment.match_import_rows(this_import);
    perform enrichment.create_import_works(this_import);
    perform enrichment.create_import_editions(this_import);
    -- Queue rows before works, as everywhere: filled first and queued then, imports and sweeps waited for each other in a circle.
    perform enrichment.queue_import(this_import, import_library_impl.user_id, new_rows);
    perform enrichment.fill_from_import(this_import, import_library_impl.user_id);
    perform enrichment.shelve_import(this_import, import_library_impl.user_id);
    perform enrichment.unqueue_complete(this_import, new_rows);

    return query
    select r.row_number, r.outcome, r.reason, r.work_id, r.edition_id, r.library_item_id, r.enrichment, r.queue_id
    from enrichment.import_rows as r
    where r.import_id = this_import and r.row_number in (
        select read.row_number from enrichment.read_import_rows(this_import, import_library_impl."rows") as read
    )
    order by r.row_number;
end
$$;
