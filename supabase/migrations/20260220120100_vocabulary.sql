-- The words everything else is said in: states, confidences, and the shape of each verb's answer. They live in a private schema,
-- because a host may own types of similar names in public. Nobody may do anything here until a later line grants it. Verbs that
-- join many tables say `set jit = off`: compiling such a plan took 1–2 s, running it 20 ms.

create schema enrichment;
revoke all on schema enrichment from public, anon, authenticated, service_role;
grant usage on schema enrichment to authenticated, service_role;
comment on schema enrichment is
'Private side of book enrichment: settings, providers, parsed forms, the functions behind the public verbs, and views for the dashboard.';

create type enrichment.queue_status as enum (
    'pending',       -- enqueue; release, retry, stale reset and the next look-up come back here from in_progress
    'in_progress',   -- claim, or the sweep within its own transaction
    'completed',     -- apply: nothing left to fill or nothing more to be had; approve from needs_review
    'needs_review',  -- apply: proposals a person should see
    'failed',        -- attempts spent on crashes or lasting errors
    'skipped'        -- apply: no candidate is this book; dismiss from needs_review
);
comment on type enrichment.queue_status is 'State of a queue row; the arrows between states are kept by enrichment.refuse_missing_arrow().';

create type enrichment.confidence as enum ('none', 'low', 'medium', 'high');
comment on type enrichment.confidence is 'How sure we are that a candidate is this book, weakest first, so that max() is the best.';

create type enrichment.trigger_source as enum ('post_import', 'manual_bulk', 'scheduled');
comment on type enrichment.trigger_source is 'Who asked: an import, a person, or the system itself.';

create type enrichment.title_parts as (
    full_key text,       -- the whole title with its subtitle, without what stands in brackets
    main_key text,       -- the title before its subtitle
    series_number text,  -- 3, 0.5 or 1-3, from "(The Hunger Games, #3)" or "Vol. 3"
    core_key text,       -- main title and subtitle, without edition, kind of book and series
    subtitle_key text,   -- empty where none
    series_key text,     -- the series' name
    volume text,         -- the number that is part of this very title: "Batman: Hush, Vol. 2"
    derivative text,     -- "study guide", "graphic novel": the words that say it is not the book itself
    omnibus text,        -- "trilogy", "and other stories": the words that say it is several books
    numbers text [],     -- every number in core_key
    forms text [],       -- the keys under which it may be printed too
    words text [],       -- its telling words, sorted
    known_as text        -- core_key of the title it is best known by, where it is printed under another
);
comment on type enrichment.title_parts is
'A title taken apart for comparison by parse_title(): every part folded, null or empty where the title has none.';

create type enrichment.author_parts as (
    names text [],        -- whole names
    initialled text [],   -- last name and first initial, in the ways they may be written
    last_names text [],
    spellings text [],    -- names without spaces, and with their words sorted
    first_names text [],
    single_names text []  -- names of one word: Voltaire
);
comment on type enrichment.author_parts is 'Authors folded for comparison by parse_authors(); null where none is known.';

create type enrichment.candidate_fields as (
    work_key text, edition_key text, title text, subtitle text, author_names text [], author_ids text [], isbns text [],
    cover_url text, description text, first_publish_year integer, publisher text, publish_date date, language text,
    format text, total_pages integer, total_audio_minutes integer
);
comment on type enrichment.candidate_fields is
'One book as a provider describes it, cleaned to what our columns hold. isbns are 13-digit keys; author_ids are the provider''s own.';

create type enrichment.import_outcome as (
    row_number integer, outcome text, reason text, work_id uuid, edition_id uuid, library_item_id uuid, enrichment text, queue_id uuid
);
create type enrichment.enqueue_outcome as (work_id uuid, outcome text, queue_id uuid);
create type enrichment.resolution as (
    queue_id uuid, work_id uuid, status enrichment.queue_status, confidence enrichment.confidence, fields_applied text [],
    wait_reason text, last_error text
);
create type enrichment.claimed_row as (
    queue_id uuid, claim_token uuid, work_id uuid, edition_id uuid, title text, authors text [], attempt_count integer, lookups jsonb
);
create type enrichment.reservation as (granted integer, retry_after numeric, reason text);
create type enrichment.provider_report as (
    provider text, failures integer, open_until timestamptz, retry_at timestamptz, paused_reason text
);
create type enrichment.provider_state as (
    provider text, is_enabled boolean, wait_reason text, available_at timestamptz, tokens numeric, rate_per_second numeric,
    burst_size integer, used_today integer, daily_limit integer, daily_reserve integer, failures integer, last_error text
);
create type enrichment.apply_outcome as (
    "position" integer, queue_id uuid, outcome text, status enrichment.queue_status, confidence enrichment.confidence,
    fields_applied text [], message text
);
create type enrichment.row_state as (
    queue_id uuid, status enrichment.queue_status, attempt_count integer, next_attempt_after timestamptz, wait_reason text, last_error text
);
create type enrichment.pruned as (subject text, removed bigint);
create type enrichment.due as (due_at timestamptz, due_in numeric, reason text, pending integer, in_progress integer);
create type enrichment.review_outcome as (
    queue_id uuid, status enrichment.queue_status, fields_applied text [], fields_skipped text []
);
create type enrichment.explained_candidate as (
    place integer, candidate text, provider text, work_key text, title text, authors text, source_url text, cover_url text,
    title_score integer, author_score integer, isbn_score integer, confidence enrichment.confidence, sentence text, parts jsonb,
    "values" jsonb, is_dismissed boolean
);
create type enrichment.preview as (
    work_id uuid, status enrichment.queue_status, confidence enrichment.confidence, sentence text, wait_reason text, "values" jsonb,
    lookups jsonb
);
create type enrichment.field_lock as (work_id uuid, edition_id uuid, field text);
create type enrichment.setting as (name text, value text, description text);
create type enrichment.work_state as (
    work_id uuid, queue_id uuid, status enrichment.queue_status, confidence enrichment.confidence, wait_reason text,
    next_attempt_after timestamptz, last_error text, cover_applied boolean, fields_applied text [], cover_url text,
    last_enriched_at timestamptz, undone_at timestamptz
);
create type enrichment.listed_row as (
    queue_id uuid, work_id uuid, edition_id uuid, import_id uuid, title text, authors text [], status enrichment.queue_status,
    confidence enrichment.confidence, wait_reason text, next_attempt_after timestamptz, last_error text, cover_url text,
    cover_applied boolean, fields_applied text [], providers_attempted text [], sentence text, current_values jsonb, proposals jsonb,
    match_details jsonb, trigger_source enrichment.trigger_source, is_mine boolean, created_at timestamptz, finished_at timestamptz,
    undone_at timestamptz, cursor text
);
create type enrichment.history_line as (
    id uuid, queue_id uuid, action text, provider text, source_record jsonb, source_url text, confidence enrichment.confidence,
    fields_changed jsonb, sentence text, is_mine boolean, created_at timestamptz
);
create type enrichment.library_line as (
    work_id uuid, library_item_id uuid, edition_id uuid, title text, authors text [], cover_url text, first_publish_year integer,
    status enrichment.queue_status, queue_id uuid, confidence enrichment.confidence, wait_reason text, next_attempt_after timestamptz,
    last_error text, undone_at timestamptz, missing text [], cursor text
);
create type enrichment.library_summary as (
    books integer, missing_cover integer, missing_something integer, pending integer, in_progress integer, completed integer,
    needs_review integer, failed integer, skipped integer, covers_applied integer, next_due_at timestamptz, next_reason text
);
create type enrichment.import_state as (
    import_id uuid, import_source text, created_at timestamptz, expected_rows integer, "rows" integer, created integer,
    matched integer, duplicate integer, rejected integer, pending integer, in_progress integer, completed integer,
    needs_review integer, failed integer, skipped integer, covers_applied integer, undone integer, undoable integer
);
create type enrichment.import_line as (
    row_number integer, title text, authors text [], outcome text, reason text, work_id uuid, queue_id uuid,
    status enrichment.queue_status, cursor integer
);
create type enrichment.usage_line as (meter text, subject text, used bigint, allowed bigint, unit text, until timestamptz);
create type enrichment.undo_outcome as (
    queue_id uuid, work_id uuid, status enrichment.queue_status, fields_restored text [], fields_kept text [], reason text
);
create type enrichment.matching_outcome as (
    is_dry_run boolean, matched integer, changed integer, skipped integer, fields jsonb, remaining integer
);
create type enrichment.state_count as (
    status enrichment.queue_status, wait_reason text, "rows" bigint, oldest timestamptz, until timestamptz
);
create type enrichment.health_check as (name text, state text, message text, hint text);

create function enrichment.uuid_v7()
returns uuid
language sql volatile parallel safe set search_path = ''
as $$
    select (lpad(to_hex((extract(epoch from clock_timestamp()) * 1000)::bigint), 12, '0') || '7' || substr(random_hex, 14))::uuid
    from replace(gen_random_uuid()::text, '-', '') as random_hex
$$;
comment on function enrichment.uuid_v7() is 'A time-ordered id (RFC 9562, version 7): new rows land at the end of every index.';
revoke all on function enrichment.uuid_v7() from public, anon, authenticated, service_role;

create function enrichment.refuse(code text, message text, hint text)
returns void
language plpgsql volatile set search_path = ''
as $$
begin
    -- Volatile, or the planner would raise for a constant message before anything is refused.
    -- @plpgsql_check_options: performance_warnings = off
    raise exception using errcode = refuse.code, message = refuse.message, hint = refuse.hint;
end
$$;
comment on function enrichment.refuse(text, text, text) is
'Raises PT403, PT404, PT409 or PT422, which PostgREST turns into that HTTP status; the message names the row, the hint says what to do.';
revoke all on function enrichment.refuse(text, text, text) from public, anon, authenticated, service_role;

create function enrichment.refuse_long_list(elements integer)
returns void
language plpgsql set search_path = ''
as $$
begin
    if refuse_long_list.elements > 1000 then
        perform enrichment.refuse(
            'PT422', format('a list of %s elements is too long', refuse_long_list.elements), 'send at most 1,000 elements a call'
        );
    end if;
end
$$;
comment on function enrichment.refuse_long_list(integer) is 'PostgREST cuts replies at 1,000 rows without a word, so longer lists are refused.';
revoke all on function enrichment.refuse_long_list(integer) from public, anon, authenticated, service_role;

create function enrichment.current_reader()
returns uuid
language plpgsql stable set search_path = ''
as $$
begin
    if auth.uid() is null then
        perform enrichment.refuse('PT403', 'no reader is signed in', 'send the reader''s JWT');
    end if;
    return auth.uid();
end
$$;
comment on function enrichment.current_reader() is 'The signed-in reader; PT403 where there is none.';
revoke all on function enrichment.current_reader() from public, anon, authenticated, service_role;
