-- The verbs tests speak in: readers, books, shelves, a queue row on its way. Loaded before the tests, dropped after them. A test file
-- opens a transaction, makes its own few rows with these, does one thing, looks, and rolls back.

create schema tests;
grant usage on schema tests to anon, authenticated, service_role;

create function tests.create_reader(handle text default 'ada')
returns uuid
language sql
as $$
    with account as (insert into auth.users (email) values (create_reader.handle || '@example.org') returning id)

    insert into public.users (id, handle) select account.id, create_reader.handle from account returning id
$$;

create function tests.act_as(reader uuid)
returns void
language sql
as $$
    select set_config('request.jwt.claims', jsonb_build_object('role', 'authenticated', 'sub', act_as.reader)::text, true),
        set_config('role', 'authenticated', true)
$$;

create function tests.act_as_service()
returns void
language sql
as $$
    select set_config('request.jwt.claims', '{"role": "service_role"}', true), set_config('role', 'service_role', true)
$$;

create function tests.act_as_owner()
returns void
language sql
as $$
    select set_config('request.jwt.claims', '', true), set_config('role', 'none', true)
$$;

-- Answers the work. Without an ISBN the edition has none; author null is a book by nobody.
create function tests.create_book(title text default 'The Hunger Games', author text default 'Suzanne Collins', isbn13 text default null)
returns uuid
language plpgsql
as $$
declare
    new_work uuid;
    new_author uuid;
begin
    insert into public.works (title) values (create_book.title) returning id into new_work;
    insert into public.editions (work_id, isbn13) values (new_work, create_book.isbn13);
    if create_book.author is not null then
        insert into public.authors (name) values (create_book.author) returning id into new_author;
        insert into public.work_authors (work_id, author_id) values (new_work, new_author);
    end if;
    return new_work;
end
$$;

create function tests.edition_of(work uuid)
returns uuid
language sql
as $$
    select e.id from public.editions as e where e.work_id = edition_of.work order by e.created_at, e.id limit 1
$$;

-- Nothing is left to learn about such a book.
create function tests.fill_every_gap(work uuid)
returns void
language sql
as $$
    update public.works
    set default_cover_url = 'https://example.org/cover.jpg', description = 'A book.', first_publish_year = 2008
    where id = fill_every_gap.work;

    update public.editions
    set publisher = 'Scholastic', publish_date = '2008-09-14', isbn10 = '0439023483', isbn13 = '9780439023481', language = 'eng',
        format = 'hardcover', total_pages = 374
    where work_id = fill_every_gap.work;
$$;

create function tests.add_to_shelf(reader uuid, work uuid)
returns uuid
language sql
as $$
    insert into public.library_items (user_id, work_id, preferred_edition_id, status, visibility)
    values (add_to_shelf.reader, add_to_shelf.work, tests.edition_of(add_to_shelf.work), 'to_read', 'private')
    returning id
$$;

create function tests.switch_on()
returns void
language sql
as $$
    select count(*) from public.configure_enrichment(
        '{"auto_enabled": true, "auto_apply_metadata": true, "contact": "tests@example.org"}'
    )
$$;

-- A number of the settings; a test that relies on one asks here, so that a default may be changed in one place.
create function tests.setting(name text)
returns bigint
language plpgsql
as $$
declare
    value bigint;
begin
    select each.value::bigint into strict value
    from enrichment.settings as s cross join jsonb_each_text(to_jsonb(s)) as each where each.key = setting.name;
    return value;
end
$$;

-- The same as a time, in the unit that the name ends in: days or seconds.
create function tests.span(setting text)
returns interval
language sql
as $$
    select tests.setting(span.setting) * case when span.setting like '%\_days' then interval '1 day' else interval '1 second' end
$$;

-- Answers the queue row.
create function tests.enqueue(work uuid, trigger_source text default 'manual_bulk', triggered_by uuid default null)
returns uuid
language sql
as $$
    select o.queue_id from public.enqueue_enrichment(array[enqueue.work], enqueue.trigger_source, enqueue.triggered_by) as o
$$;

create function tests.claim_one(worker text default 'worker one')
returns enrichment.claimed_row
language sql
as $$
    select c from public.claim_enrichment(claim_one.worker, 1) as c
$$;

create function tests.queue_row(queue_id uuid)
returns public.enrichment_queue
language sql
as $$
    select q from public.enrichment_queue as q where q.id = queue_row.queue_id
$$;

-- A reply as the worker would have stored it: kind isbn or title, key as claim_enrichment names it; raw null for a miss.
create function tests.store_lookup(kind text, key text, raw jsonb, provider text default 'openlibrary')
returns void
language sql
as $$
    insert into public.source_records (provider, entity_type, provider_id, raw)
    values (store_lookup.provider, store_lookup.kind || '_lookup', store_lookup.key, coalesce(store_lookup.raw, '{"no_match": true}'))
$$;

-- One document of Open Library's search in the shape store_lookup takes; null leaves a value out.
create function tests.search_reply(
    title text default 'The Hunger Games', author text default 'Suzanne Collins', isbn13 text default null, work_key text default '/works/OL5735363W',
    cover_id integer default 12646537, first_publish_year integer default 2008, publisher text default 'Scholastic Press'
)
returns jsonb
language sql
as $$
    select jsonb_build_object('docs', jsonb_build_array(jsonb_strip_nulls(jsonb_build_object(
        'key', search_reply.work_key, 'title', search_reply.title,
        'author_name', case when search_reply.author is not null then jsonb_build_array(search_reply.author) end,
        'cover_i', search_reply.cover_id, 'first_publish_year', search_reply.first_publish_year,
        'editions', case when search_reply.isbn13 is not null then jsonb_build_object('docs', jsonb_build_array(jsonb_build_object(
            'key', '/books/OL17606520M', 'title', search_reply.title, 'isbn', jsonb_build_array(search_reply.isbn13),
            'publisher', jsonb_build_array(search_reply.publisher), 'publish_date', jsonb_build_array('2008-09-14'),
            'language', jsonb_build_array('eng')
        ))) end
    ))))
$$;

-- What apply_enrichment takes for one claim: lookups as [{"provider", "kind", "key", "raw" or "no_match"}].
create function tests.answer(claim enrichment.claimed_row, lookups jsonb default '[]')
returns jsonb
language sql
as $$
    select jsonb_build_array(jsonb_build_object('queue_id', claim.queue_id, 'claim_token', claim.claim_token, 'lookups', answer.lookups))
$$;

-- A row of a CSV file as the client sends it to import_library, with more columns laid over it.
create function tests.csv_row(row_number integer default 2, title text default 'The Hunger Games', author text default 'Suzanne Collins', more jsonb default '{}')
returns jsonb
language sql
as $$
    select jsonb_build_object(
        'row_number', csv_row.row_number, 'external_id', 'goodreads:' || (1000 + csv_row.row_number), 'title', csv_row.title,
        'authors', jsonb_build_array(csv_row.author), 'status', 'to_read', 'rating', null, 'tags', '[]'::jsonb, 'problem', null
    ) || csv_row.more
$$;

create function tests.import(reader uuid, variadic "rows" jsonb [])
returns setof enrichment.import_outcome
language sql
as $$
    select * from public.import_library(import.reader, 'goodreads', to_jsonb(import."rows"))
$$;

-- The answer to the look-up that a claim names; raw null for a miss.
create function tests.answer_with(claim enrichment.claimed_row, raw jsonb)
returns jsonb
language sql
as $$
    select tests.answer(claim, jsonb_build_array(
        (claim.lookups -> 0) || case when answer_with.raw is null then '{"no_match": true}' else jsonb_build_object('raw', answer_with.raw) end
    ))
$$;

-- One work all the way: queued for a person, claimed, its look-up answered with raw (null: a miss). Answers the queue row.
create function tests.enrich(work uuid, raw jsonb)
returns uuid
language plpgsql
as $$
declare
    queue_id uuid := tests.enqueue(enrich.work);
begin
    perform public.apply_enrichment(tests.answer_with(tests.claim_one(), enrich.raw));
    return queue_id;
end
$$;

-- What a host's own import leaves of The Hunger Games: a work and an edition of Open Library, raw, tied to ours by external ids.
create function tests.store_host_records(work uuid, work_id text default '5735363', isbn13 text default '9780439023481')
returns void
language sql
as $$
    insert into public.external_ids (entity_type, entity_id, provider, provider_id)
    values
    ('work', store_host_records.work, 'openlibrary', '/works/OL' || store_host_records.work_id || 'W'),
    ('edition', tests.edition_of(store_host_records.work), 'openlibrary', '/books/OL' || store_host_records.work_id || 'M');

    insert into public.source_records (provider, entity_type, provider_id, raw)
    select 'openlibrary', 'work', '/works/OL' || store_host_records.work_id || 'W', jsonb_build_object(
        'key', '/works/OL' || store_host_records.work_id || 'W', 'title', w.title, 'authors', '[{"author": {"key": "/authors/OL1394359A"}}]'::jsonb,
        'covers', '[12646537]'::jsonb, 'description', '{"type": "/type/text", "value": "Twenty-four are sent in, one comes out."}'::jsonb,
        'first_publish_date', '2008'
    )
    from public.works as w
    where w.id = store_host_records.work
    union all
    select 'openlibrary', 'edition', '/books/OL' || store_host_records.work_id || 'M', jsonb_build_object(
        'key', '/books/OL' || store_host_records.work_id || 'M', 'works', jsonb_build_array(jsonb_build_object('key', '/works/OL' || store_host_records.work_id || 'W')),
        'title', w.title, 'isbn_13', jsonb_build_array(store_host_records.isbn13), 'publishers', '["Scholastic Press"]'::jsonb,
        'publish_date', 'September 14, 2008', 'languages', '[{"key": "/languages/eng"}]'::jsonb, 'physical_format', 'Hardcover',
        'number_of_pages', 374
    )
    from public.works as w
    where w.id = store_host_records.work;
$$;

-- A row in review, as the sweep leaves it while auto_apply_metadata is off: found by its ISBN, the cover applied, five fields proposed.
create function tests.bring_to_review(work uuid, isbn13 text default '9780439023481')
returns uuid
language plpgsql
as $$
declare
    queue_id uuid := tests.enqueue(bring_to_review.work);
begin
    perform tests.store_lookup(
        'isbn', bring_to_review.isbn13,
        tests.search_reply((select w.title from public.works as w where w.id = bring_to_review.work), isbn13 => bring_to_review.isbn13)
    );
    perform public.sweep_enrichment();
    return queue_id;
end
$$;

-- Whatever has happened so far happened that much longer ago.
create function tests.let_pass(span interval)
returns void
language sql
as $$
    update public.source_records set fetched_at = fetched_at - let_pass.span;
    update enrichment.parsed_records set fetched_at = fetched_at - let_pass.span;
    update public.enrichment_queue
    set created_at = created_at - let_pass.span, started_at = started_at - let_pass.span, finished_at = finished_at - let_pass.span,
        scored_at = scored_at - let_pass.span, next_attempt_after = next_attempt_after - let_pass.span;
$$;

-- No stored reply is young enough to answer.
create function tests.let_replies_expire()
returns void
language sql
as $$
    select tests.let_pass(tests.span('record_valid_days') + interval '1 day')
$$;

-- Every claim has been held longer than it may be, as if its worker had crashed; a negative margin: not quite that long.
create function tests.grow_stale(margin interval default '1 second')
returns void
language sql
as $$
    update public.enrichment_queue set started_at = now() - tests.span('stale_after_seconds') - grow_stale.margin where status = 'in_progress';
    update enrichment.cover_queue set started_at = now() - tests.span('stale_after_seconds') - grow_stale.margin where status = 'in_progress';
$$;

create function tests.store_covers()
returns void
language sql
as $$
    select count(*) from public.configure_enrichment('{"cover_mode": "thumbnail", "contact": "tests@example.org"}')
$$;

-- A book that shows a cover of Open Library's, as its own import or ours left it.
create function tests.create_hot_linked(title text default 'The Hunger Games', cover_id integer default 12646537)
returns uuid
language plpgsql
as $$
declare
    new_work uuid := tests.create_book(create_hot_linked.title);
begin
    update public.works set default_cover_url = 'https://covers.openlibrary.org/b/id/' || create_hot_linked.cover_id || '-M.jpg' where id = new_work;
    return new_work;
end
$$;

create function tests.claim_cover(worker text default 'worker one')
returns enrichment.claimed_cover
language sql
as $$
    select c from public.claim_covers(claim_cover.worker, 1) as c
$$;

-- An element of apply_covers: digit makes the hash, so that equal digits are equal images.
create function tests.stored(claim enrichment.claimed_cover, digit text default 'a', bytes integer default 9000, more jsonb default '{}')
returns jsonb
language sql
as $$
    select jsonb_build_object(
        'cover_id', claim.cover_id, 'claim_token', claim.claim_token, 'sha256', repeat(stored.digit, 64),
        'storage_path', 'openlibrary/' || repeat(stored.digit, 32) || '.webp',
        'cover_url', 'https://project.supabase.co/storage/v1/object/public/covers/openlibrary/' || repeat(stored.digit, 32) || '.webp',
        'bytes', stored.bytes, 'width', 240, 'height', 360
    ) || stored.more
$$;

-- The documents of several replies as one.
create function tests.replies(variadic replies jsonb [])
returns jsonb
language sql
as $$
    select jsonb_build_object('docs', jsonb_agg(doc order by reply.place)) from unnest(replies.replies) with ordinality as reply (value, place)
    cross join lateral jsonb_array_elements(reply.value -> 'docs') as doc
$$;

-- A reply that holds two works of one author which fit the book "The Long Walk" equally well.
create function tests.two_long_walks()
returns jsonb
language sql
as $$
    select tests.replies(
        tests.search_reply('The Long Walk: A Winter in Lapland', 'Anna Berg', work_key => '/works/OL1W', cover_id => 1, first_publish_year => 1990),
        tests.search_reply('The Long Walk: Across the Andes', 'Anna Berg', work_key => '/works/OL2W', cover_id => 2, first_publish_year => 2004)
    )
$$;

-- A volume of Google Books as its search answers; isbn13 null for one without.
create function tests.google_reply(title text, author text, volume_id text default 'aBcD', isbn13 text default null, more jsonb default '{}')
returns jsonb
language sql
as $$
    select jsonb_build_object('items', jsonb_build_array(jsonb_build_object('id', google_reply.volume_id, 'volumeInfo', jsonb_strip_nulls(jsonb_build_object(
        'title', google_reply.title, 'authors', jsonb_build_array(google_reply.author),
        'industryIdentifiers', case when google_reply.isbn13 is not null then jsonb_build_array(jsonb_build_object('identifier', google_reply.isbn13)) end
    )) || google_reply.more)))
$$;

-- One line of enrichment_health, as "state: message".
create function tests.health(name text)
returns text
language sql
as $$
    select c.state || ': ' || c.message from public.enrichment_health() as c where c.name = health.name
$$;
