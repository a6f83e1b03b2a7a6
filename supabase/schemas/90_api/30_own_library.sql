-- The verbs only a signed-in reader can call, because they are about the own library. Wrappers as in 10_service.

create function public.trigger_enrichment(work_ids uuid[])
returns setof enrichment.enqueue_outcome
language sql set search_path = ''
as $$
    select * from enrichment.trigger_enrichment_impl(trigger_enrichment.work_ids)
$$;
comment on function public.trigger_enrichment(uuid[]) is
'The reader''s button: queues works of the own library with priority 50. Outcomes as enqueue_enrichment; a work that is not in the library is unknown.';

create function public.trigger_missing_enrichment()
returns setof enrichment.enqueue_outcome
language sql set search_path = ''
as $$
    select * from enrichment.trigger_missing_enrichment_impl()
$$;
comment on function public.trigger_missing_enrichment() is
'The reader''s "Enrich missing": queues works of the own library that lack something nobody locked and are not queued, the newest first and up to 1,000 a call, and starts those that wait for the switch (auto_disabled). Call again until nothing is enqueued; what is left then can gain nothing now (known_miss), and no row says that nothing is missing at all.';

create function public.enrichment_library(filter text default null, page_size integer default 60, cursor text default null)
returns setof enrichment.library_line
language sql stable set search_path = ''
as $$
    select * from enrichment.enrichment_library_impl(enrichment_library.filter, enrichment_library.page_size, enrichment_library.cursor)
$$;
comment on function public.enrichment_library(text, integer, text) is
'The own library, newest book first: the cover that is shown, the state of its newest queue row (null: never queued) and which fields are missing. filter: a status, or missing. The cursor of the last row gets the next page. PT403 without a reader, PT422.';

create function public.enrichment_summary()
returns setof enrichment.library_summary
language sql stable set search_path = ''
as $$
    select * from enrichment.enrichment_summary_impl()
$$;
comment on function public.enrichment_summary() is
'The own library in one row: books, how many show no cover, how many lack anything, how many are in each state by their newest queue row, how many covers enrichment filled, and when (null: not before a setting changes) and why the next waiting row is due. PT403 without a reader.';

revoke all on function
    public.trigger_enrichment(uuid[]),
    public.trigger_missing_enrichment(),
    public.enrichment_library(text, integer, text),
    public.enrichment_summary()
from public, anon, authenticated, service_role;

grant execute on function
    public.trigger_enrichment(uuid[]), enrichment.trigger_enrichment_impl(uuid[]),
    public.trigger_missing_enrichment(), enrichment.trigger_missing_enrichment_impl(),
    public.enrichment_library(text, integer, text), enrichment.enrichment_library_impl(text, integer, text),
    public.enrichment_summary(), enrichment.enrichment_summary_impl()
to authenticated;
