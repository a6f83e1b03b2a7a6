-- The verbs of the service role: what a worker, the host's server and an operator call, also over REST. Each is a thin wrapper that runs
-- as its caller over a private twin (`enrichment.<verb>_impl`) that runs as its owner: a SECURITY DEFINER function in an exposed schema
-- is what the platform's advisors warn of (lints 0028 and 0029), and the private schema is not exposed. This page closes everything first.

create function public.enrichment_version()
returns setof enrichment.installed_version
language sql stable set search_path = ''
as $$
    select * from enrichment.enrichment_version_impl()
$$;
comment on function public.enrichment_version() is
'What version of book enrichment is installed, and the oldest version whose Python package still works with it.';

create function public.configure_enrichment(changes jsonb default '{}')
returns setof enrichment.setting
language sql set search_path = ''
as $$
    select * from enrichment.configure_enrichment_impl(configure_enrichment.changes)
$$;
comment on function public.configure_enrichment(jsonb) is
'Changes the named settings ({"auto_enabled": true}) and returns them all: name, value, description. PT422 for an unknown name or a bad value.';

create function public.reserve_provider_calls(provider text, calls integer default 1)
returns setof enrichment.reservation
language sql set search_path = ''
as $$
    select * from enrichment.reserve_provider_calls_impl(reserve_provider_calls.provider, reserve_provider_calls.calls)
$$;
comment on function public.reserve_provider_calls(text, integer) is
'Takes up to that many calls from the shared bucket: granted, retry_after in seconds (null: until a setting changes), reason (rate, daily, breaker, retry_after, no_contact, no_key, disabled …). A grant not used within 2 s must be thrown away.';

create function public.report_provider_calls(
    provider text, succeeded integer default 0, failed integer default 0, last_error text default null,
    retry_after numeric default null, reason text default null
)
returns setof enrichment.provider_report
language sql set search_path = ''
as $$
    select * from enrichment.report_provider_calls_impl(
        report_provider_calls.provider, report_provider_calls.succeeded, report_provider_calls.failed, report_provider_calls.last_error,
        report_provider_calls.retry_after, report_provider_calls.reason
    )
$$;
comment on function public.report_provider_calls(text, integer, integer, text, numeric, text) is
'How calls ended. Consecutive failures open the breaker; retry_after (seconds, at most a day) or a reason (bad_key, quota_zero, identify, unknown_location: an hour; daily: until the provider''s midnight; unless retry_after says else) pauses the provider. A success closes a breaker that let a probe through; it does not cut a pause short, it may have been under way before.';

create function public.enqueue_enrichment(
    work_ids uuid[], trigger_source text default 'manual_bulk', triggered_by uuid default null, priority integer default null
)
returns setof enrichment.enqueue_outcome
language sql set search_path = ''
as $$
    select * from enrichment.enqueue_enrichment_impl(
        enqueue_enrichment.work_ids, enqueue_enrichment.trigger_source, enqueue_enrichment.triggered_by, enqueue_enrichment.priority
    )
$$;
comment on function public.enqueue_enrichment(uuid[], text, uuid, integer) is
'Queues up to 1,000 works. One outcome each: enqueued, already_open (its priority raised), in_review, complete (no gap), known_miss (nothing new to be learnt), unknown. Priority defaults to 50 for manual_bulk, 100 otherwise.';

create function public.import_library(
    user_id uuid, import_source text, "rows" jsonb, import_id uuid default null, expected_rows integer default null
)
returns setof enrichment.import_outcome
language sql set search_path = ''
as $$
    select * from enrichment.import_library_impl(
        import_library.user_id, import_library.import_source, import_library."rows", import_library.import_id, import_library.expected_rows
    )
$$;
comment on function public.import_library(uuid, text, jsonb, uuid, integer) is
'Imports up to 500 parsed CSV rows for a reader and queues what has gaps. One outcome per row: created, matched, duplicate or rejected, with the reason. The same import_id ties the chunks of one file; a chunk sent twice answers the same. expected_rows: how many the whole file has, for enrichment_import() to compare.';

create function public.claim_enrichment(worker_name text, batch_size integer default null)
returns setof enrichment.claimed_row
language sql set search_path = ''
as $$
    select * from enrichment.claim_enrichment_impl(claim_enrichment.worker_name, claim_enrichment.batch_size)
$$;
comment on function public.claim_enrichment(text, integer) is
'Takes up to batch_size due rows (default settings.batch_size), each with a claim_token and the look-ups it still needs: [{provider, kind: isbn or title, key, title, author}];[] where the cache answers all. Only providers that may be called now. Zero rows: nothing to do, ask enrichment_due().';

create function public.fail_enrichment(queue_id uuid, claim_token uuid, error text)
returns setof enrichment.row_state
language sql set search_path = ''
as $$
    select * from enrichment.fail_enrichment_impl(fail_enrichment.queue_id, fail_enrichment.claim_token, fail_enrichment.error)
$$;
comment on function public.fail_enrichment(uuid, uuid, text) is
'A look-up of this very row met a lasting error: the attempt is spent, the row backs off, or fails after max_attempts. PT409 without the running claim.';

create function public.release_enrichment(queue_id uuid, claim_token uuid, reason text, retry_at timestamptz default null)
returns setof enrichment.row_state
language sql set search_path = ''
as $$
    select * from enrichment.release_enrichment_impl(
        release_enrichment.queue_id, release_enrichment.claim_token, release_enrichment.reason, release_enrichment.retry_at
    )
$$;
comment on function public.release_enrichment(uuid, uuid, text, timestamptz) is
'Gives a claimed row back unanswered: pending, with the reason and from when it is due (default now). No attempt is spent. PT409 without the running claim.';

create function public.reset_stale_enrichment(older_than interval default null)
returns setof enrichment.row_state
language sql set search_path = ''
as $$
    select * from enrichment.reset_stale_enrichment_impl(reset_stale_enrichment.older_than)
$$;
comment on function public.reset_stale_enrichment(interval) is
'Takes back claims older than that (default settings.stale_after_seconds): the crash spent an attempt, so the row backs off, or fails after max_attempts. One row per claim taken back, up to 1,000; claims on covers are taken back with them.';

create function public.sweep_enrichment(batch_size integer default null)
returns setof enrichment.resolution
language sql set search_path = ''
as $$
    select * from enrichment.sweep_enrichment_impl(sweep_enrichment.batch_size)
$$;
comment on function public.sweep_enrichment(integer) is
'The cached lane: resolves up to batch_size pending works (default settings.sweep_batch_size, at most 1,000) for which stored records say something new. No HTTP. Zero rows: nothing can be answered from the cache.';

create function public.apply_enrichment(results jsonb)
returns setof enrichment.apply_outcome
language sql set search_path = ''
as $$
    select * from enrichment.apply_enrichment_impl(apply_enrichment.results)
$$;
comment on function public.apply_enrichment(jsonb) is
'Takes a worker''s answers: [{"queue_id", "claim_token", "lookups": [{"provider", "kind", "key", "raw" or "no_match": true}]}], up to 1,000. Stores them, scores, fills and closes or re-queues. One outcome per element by position (from 0): applied, stale_claim (nothing changed) or rejected with a message; a bad element fails alone.';

create function public.claim_covers(worker_name text, batch_size integer default null)
returns setof enrichment.claimed_cover
language sql set search_path = ''
as $$
    select * from enrichment.claim_covers_impl(claim_covers.worker_name, claim_covers.batch_size)
$$;
comment on function public.claim_covers(text, integer) is
'Takes up to batch_size covers to store (default 10, at most 100), each with a claim_token. Zero rows: hot-link mode, nothing due, the provider paused, or no room left in cover_budget_bytes; enrichment_covers() says which.';

create function public.apply_covers(results jsonb)
returns setof enrichment.cover_outcome
language sql set search_path = ''
as $$
    select * from enrichment.apply_covers_impl(apply_covers.results)
$$;
comment on function public.apply_covers(jsonb) is
'Takes what a worker uploaded to the bucket covers: [{"cover_id", "claim_token", "sha256", "storage_path", "cover_url", "bytes", "width", "height"}], up to 1,000. One outcome per element by position (from 0): applied (the URL is swapped), url_changed or locked (the work keeps its cover), over_budget (the row waits), stale_claim, failed or rejected with a message; a bad element fails alone.';

create function public.fail_cover(cover_id uuid, claim_token uuid, error text, is_lasting boolean default false)
returns setof enrichment.cover_state
language sql set search_path = ''
as $$
    select * from enrichment.fail_cover_impl(fail_cover.cover_id, fail_cover.claim_token, fail_cover.error, fail_cover.is_lasting)
$$;
comment on function public.fail_cover(uuid, uuid, text, boolean) is
'This image cannot be stored. is_lasting (no such image, a placeholder, not an image): skipped, the work keeps its URL; otherwise the attempt is spent and the row backs off, or fails after max_attempts. PT404, PT409 without the running claim.';

create function public.release_cover(cover_id uuid, claim_token uuid, reason text, retry_at timestamptz default null)
returns setof enrichment.cover_state
language sql set search_path = ''
as $$
    select * from enrichment.release_cover_impl(
        release_cover.cover_id, release_cover.claim_token, release_cover.reason, release_cover.retry_at
    )
$$;
comment on function public.release_cover(uuid, uuid, text, timestamptz) is
'Gives a claimed cover back: pending, with the reason and from when it is due (default now). No attempt is spent. PT404, PT409 without the running claim, PT422 without a reason.';

create function public.enrichment_covers()
returns setof enrichment.cover_report
language sql stable set search_path = ''
as $$
    select * from enrichment.enrichment_covers_impl()
$$;
comment on function public.enrichment_covers() is
'How storing covers stands, in one row: the mode, why it waits (hotlink_mode, storage_budget, a provider''s reason) and when the next is due, rows under way, images and bytes stored against the budget, and what a worker must keep to: sizes, hosts, digests of placeholders.';

create function public.enrichment_overview()
returns setof enrichment.state_count
language sql stable set search_path = ''
as $$
    select * from enrichment.enrichment_overview_impl()
$$;
comment on function public.enrichment_overview() is 'enrichment.overview for the service role: status, wait_reason, rows, oldest, until.';

create function public.enrichment_providers()
returns setof enrichment.provider_state
language sql stable set search_path = ''
as $$
    select * from enrichment.enrichment_providers_impl()
$$;
comment on function public.enrichment_providers() is
'One line per provider in the order of asking: wait_reason (null: may be called now; disabled, no_contact, no_key, bad_key, quota_zero, identify, unknown_location, retry_after, breaker, daily, rate) and until when (null: until a setting changes), calls left in its bucket and how they come back, calls of today and their limit, consecutive failures, the last error.';

create function public.enrichment_due()
returns setof enrichment.due
language sql stable set search_path = ''
as $$
    select * from enrichment.enrichment_due_impl()
$$;
comment on function public.enrichment_due() is
'When a worker should come back: due_at and due_in (seconds, 0 for now) of the next pending row, why it waits, and how many are pending and in progress. both are null where nothing will be due by itself.';

create function public.enrichment_health(verbs jsonb default '{}', objects jsonb default '{}')
returns setof enrichment.health_check
language sql stable set search_path = ''
as $$
    select * from enrichment.enrichment_health_impl(enrichment_health.verbs, enrichment_health.objects)
$$;
comment on function public.enrichment_health(jsonb, jsonb) is
'One check a line: name, state (ok, warn, fail), message, hint (what to do; null where all is well). verbs names what the client is going to call, with its parameters; objects is what the client''s version has: the md5 of each function''s body by its name with its schema, and an empty text for "view schema.name", "index schema.name", "trigger name" and "policy name". So a database of another version is noticed, and what was changed by hand.';

create function public.prune_enrichment()
returns setof enrichment.pruned
language sql set search_path = ''
as $$
    select * from enrichment.prune_enrichment_impl()
$$;
comment on function public.prune_enrichment() is
'Throws away what the keep_* and *_valid_days settings say is old: finished queue and cover rows, audit rows, imports, our own expired look-ups and their parsed forms, pg_cron''s run log. Never an open row, a row in review, or a record of the host''s.';

revoke all on all functions in schema enrichment from public, anon, authenticated, service_role;

revoke all on function
    public.enrichment_version(),
    public.configure_enrichment(jsonb),
    public.reserve_provider_calls(text, integer),
    public.report_provider_calls(text, integer, integer, text, numeric, text),
    public.enqueue_enrichment(uuid[], text, uuid, integer),
    public.import_library(uuid, text, jsonb, uuid, integer),
    public.claim_enrichment(text, integer),
    public.fail_enrichment(uuid, uuid, text),
    public.release_enrichment(uuid, uuid, text, timestamptz),
    public.reset_stale_enrichment(interval),
    public.sweep_enrichment(integer),
    public.apply_enrichment(jsonb),
    public.claim_covers(text, integer),
    public.apply_covers(jsonb),
    public.fail_cover(uuid, uuid, text, boolean),
    public.release_cover(uuid, uuid, text, timestamptz),
    public.enrichment_covers(),
    public.enrichment_overview(),
    public.enrichment_providers(),
    public.enrichment_due(),
    public.enrichment_health(jsonb, jsonb),
    public.prune_enrichment()
from public, anon, authenticated, service_role;

grant execute on function
    public.enrichment_version(), enrichment.enrichment_version_impl(),
    public.configure_enrichment(jsonb), enrichment.configure_enrichment_impl(jsonb),
    public.reserve_provider_calls(text, integer), enrichment.reserve_provider_calls_impl(text, integer),
    public.report_provider_calls(text, integer, integer, text, numeric, text),
    enrichment.report_provider_calls_impl(text, integer, integer, text, numeric, text),
    public.enqueue_enrichment(uuid[], text, uuid, integer), enrichment.enqueue_enrichment_impl(uuid[], text, uuid, integer),
    public.import_library(uuid, text, jsonb, uuid, integer), enrichment.import_library_impl(uuid, text, jsonb, uuid, integer),
    public.claim_enrichment(text, integer), enrichment.claim_enrichment_impl(text, integer),
    public.fail_enrichment(uuid, uuid, text), enrichment.fail_enrichment_impl(uuid, uuid, text),
    public.release_enrichment(uuid, uuid, text, timestamptz), enrichment.release_enrichment_impl(uuid, uuid, text, timestamptz),
    public.reset_stale_enrichment(interval), enrichment.reset_stale_enrichment_impl(interval),
    public.sweep_enrichment(integer), enrichment.sweep_enrichment_impl(integer),
    public.apply_enrichment(jsonb), enrichment.apply_enrichment_impl(jsonb),
    public.claim_covers(text, integer), enrichment.claim_covers_impl(text, integer),
    public.apply_covers(jsonb), enrichment.apply_covers_impl(jsonb),
    public.fail_cover(uuid, uuid, text, boolean), enrichment.fail_cover_impl(uuid, uuid, text, boolean),
    public.release_cover(uuid, uuid, text, timestamptz), enrichment.release_cover_impl(uuid, uuid, text, timestamptz),
    public.enrichment_covers(), enrichment.enrichment_covers_impl(),
    public.enrichment_overview(), enrichment.enrichment_overview_impl(),
    public.enrichment_providers(), enrichment.enrichment_providers_impl(),
    public.enrichment_due(), enrichment.enrichment_due_impl(),
    public.enrichment_health(jsonb, jsonb), enrichment.enrichment_health_impl(jsonb, jsonb),
    public.prune_enrichment(), enrichment.prune_enrichment_impl()
to service_role;
