-- A client says how each function reads in its version; the database says which read otherwise. Told by whoever asks: without, no line.
begin;
select plan(4);

create function pg_temp.functions(bodies jsonb)
returns text
language sql
as $$
    select c.state || ': ' || c.message from public.enrichment_health('{}', bodies) as c where c.name = 'functions'
$$;
select jsonb_object_agg(format('%s.%s', p.pronamespace::regnamespace, p.proname), md5(p.prosrc)) as bodies
from pg_proc as p
where p.pronamespace = 'enrichment'::regnamespace \gset

select is(pg_temp.functions(:'bodies'), 'ok: as released', 'unchanged');
create or replace function enrichment.isbn10_of(first_nine text) returns text language sql immutable set search_path = '' as 'select null';
drop function enrichment.year_of(text);
select is(
    pg_temp.functions(:'bodies'), 'warn: changed by hand, or missing: enrichment.isbn10_of, enrichment.year_of', 'one was changed, one is gone'
);
select is(pg_temp.functions('{}'), null, 'who names none hears nothing');
select throws_ok($$ select public.enrichment_health('{}', '[]') $$, 'PT422', null, 'bodies that are no object are refused');

select * from finish();
rollback;
