-- A book that is not found by its ISBN is looked for by its title before anyone gives up.
begin;
select plan(4);

select tests.switch_on();
select tests.create_book(isbn13 => '9780439023481') as work \gset
select tests.enrich(:'work', null) as row \gset
select is((tests.queue_row(:'row')).wait_reason, 'next_lookup', 'the row goes on');
select is((tests.queue_row(:'row')).attempt_count, 0::smallint, 'with no attempt spent');

create temp table claims as select c as claim from tests.claim_one() as c;
select is((select (c.claim).lookups -> 0 ->> 'kind' from claims as c), 'title', 'the next look-up is by title');
select is(
    (select o.confidence from claims as c, public.apply_enrichment(tests.answer_with(c.claim, tests.search_reply())) as o), 'medium', 'and finds the book'
);

select * from finish();
rollback;
