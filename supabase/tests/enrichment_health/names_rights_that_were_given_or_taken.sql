-- A right given by hand opens what row level security does not guard; one taken away stops whoever needs it.
begin;
select plan(4);

select is(tests.health('rights'), 'ok: visitors may do nothing, every verb is somebody''s', 'as released');
grant execute on function public.sweep_enrichment to anon;
grant select on public.enrichment_queue to anon;
select is(
    tests.health('rights'), 'fail: open to visitors: public.enrichment_queue, public.sweep_enrichment(integer)', 'what visitors may do is named'
);
revoke execute on function public.sweep_enrichment from anon;
revoke select on public.enrichment_queue from anon;
revoke execute on function public.claim_enrichment from service_role;
select is(tests.health('rights'), 'fail: closed to everybody: public.claim_enrichment(text,integer)', 'and what nobody may any more');
select is((select c.hint from public.enrichment_health() as c where c.name = 'rights'), 'book-enrichment migrate --restore', 'with what to do');

select * from finish();
rollback;
