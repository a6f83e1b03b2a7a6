-- A client says how each function reads in its version, and what else there should be; the database says what is otherwise.
begin;
select plan(5);

create function pg_temp.functions(objects jsonb)
returns text
language sql
as $$
    select c.state || ': ' || c.message from public.enrichment_health('{}', objects) as c where c.name = 'functions'
$$;
select jsonb_object_agg(format('%s.%s', p.pronamespace::regnamespace, p.proname), md5(p.prosrc || case when p.prosecdef then ' security definer' else '' end)) as bodies
from pg_proc as p
where p.pronamespace = 'enrichment'::regnamespace \gset

select is(pg_temp.functions(:'bodies'), 'ok: as released', 'unchanged');
create or replace function enrichment.isbn10_of(first_nine text) returns text language sql immutable set search_path = '' as 'select null';
drop function enrichment.year_of(text);
select is(
    pg_temp.functions(:'bodies'), 'warn: changed by hand, or missing: enrichment.isbn10_of, enrichment.year_of', 'one was changed, one is gone'
);
drop trigger queue_rows_start_as_pending on public.enrichment_queue;
drop policy enrichment_queue_of_own_library on public.enrichment_queue;
drop index public.queue_due;
drop view enrichment.needed_lookups;
select is(
    pg_temp.functions('{"trigger queue_rows_start_as_pending": "", "policy enrichment_queue_of_own_library": "", "index public.queue_due": "",
        "view enrichment.needed_lookups": "", "view enrichment.overview": ""}'),
    'warn: changed by hand, or missing: index public.queue_due, policy enrichment_queue_of_own_library, trigger queue_rows_start_as_pending, '
    'view enrichment.needed_lookups', 'so are triggers, policies, indexes and views'
);
select is(pg_temp.functions('{}'), null, 'who names none hears nothing');
select throws_ok($$ select public.enrichment_health('{}', '[]') $$, 'PT422', null, 'objects that are no object are refused');

select * from finish();
rollback;
