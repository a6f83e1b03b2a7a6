-- A right given by hand opens what row level security does not guard; one taken away stops whoever needs it.
begin;
select plan(6);

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
select is((select c.hint from public.enrichment_health() as c where c.name = 'rights'), 'book-enrichment migrate --restore; a policy of your own: drop it', 'with what to do');

grant execute on function public.claim_enrichment to service_role;
create policy whim on public.enrichment_queue using (true);
alter function enrichment.fold_text(text) reset search_path;
select is(
    tests.health('rights'), 'fail: opened by a policy: whim; without search_path: enrichment.fold_text(text)', 'a policy of somebody else''s, a function with the caller''s path'
);
drop policy enrichment_queue_of_own_library on public.enrichment_queue;
select matches(tests.health('realtime'), 'the policy enrichment_queue_of_own_library on enrichment_queue is gone', 'without its policy a reader sees nothing');

select * from finish();
rollback;
