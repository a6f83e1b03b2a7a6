-- Row level security that was switched off on one of our tables opens it to every reader.
begin;
select plan(2);

select is(tests.health('row security'), 'ok: is on for every table of ours', 'it is on');
alter table public.enrichment_queue disable row level security;
alter table enrichment.imports disable row level security;
select is(tests.health('row security'), 'fail: is off for: enrichment.imports, public.enrichment_queue', 'each is named');

select * from finish();
rollback;
