-- Who asked, which worker holds a claim and its token are nobody's business.
begin;
select plan(3);

select tests.create_reader() as reader, tests.create_book() as work \gset
select tests.add_to_shelf(:'reader', :'work'), tests.enqueue(:'work');

select tests.act_as(:'reader');
select throws_ok(format('select q.%I from public.enrichment_queue as q', name), '42501', null, name || ' is hidden')
from unnest(array['triggered_by', 'claim_token', 'claimed_by']) as name;

select * from finish();
rollback;
