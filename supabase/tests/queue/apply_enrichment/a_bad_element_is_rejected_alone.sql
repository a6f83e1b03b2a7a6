-- Nonsense among the answers is named by its position; the good ones are applied, and the bad one's claim stays open.
begin;
select plan(3);

select tests.switch_on();
select tests.create_book(isbn13 => '9780439023481') as good, tests.create_book('Twilight') as bad \gset
select tests.enqueue(:'good') as good_row \gset
select tests.answer_with(tests.claim_one(), tests.search_reply(isbn13 => '9780439023481')) as answers \gset
select tests.enqueue(:'bad') as bad_row \gset
select tests.answer(tests.claim_one(), '[{"provider": "amazon", "kind": "isbn", "key": "1", "no_match": true}]') as bad_answer \gset

create temp table outcomes as
select o.*
from public.apply_enrichment(
    '[5, {"queue_id": "x"}, {"queue_id": null, "lookups": {}}]'::jsonb || :'bad_answer'::jsonb || :'answers'::jsonb
    || '[{"queue_id": "00000000-0000-0000-0000-000000000000", "claim_token": "00000000-0000-0000-0000-000000000000", "lookups": 5}]'
) as o;
select results_eq(
    $$ select "position", outcome, message from outcomes $$,
    $$ values
    (0, 'rejected', 'the element is not a JSON object'), (1, 'rejected', 'queue_id is not a uuid'), (2, 'rejected', 'queue_id is not a uuid'),
    (3, 'rejected', 'look-up 0: unknown provider'), (4, 'applied', null), (5, 'rejected', 'lookups is not an array') $$, 'each is answered in its place'
);
select is((tests.queue_row(:'good_row')).status, 'completed', 'the good one is applied');
select is((tests.queue_row(:'bad_row')).status, 'in_progress', 'the bad one may be answered again');

select * from finish();
rollback;
