-- What a reader dismissed is still there to be seen, behind the others and marked; what was passed over for another says so.
begin;
select plan(3);

select tests.switch_on();
select tests.create_book(author => null) as work \gset
select tests.enrich(:'work', tests.search_reply(work_key => '/works/OL1W')) as row \gset
select count(*) from public.dismiss_enrichment(:'row');
select tests.let_replies_expire();

select tests.enrich(:'work', jsonb_build_object('docs',
    (tests.search_reply(work_key => '/works/OL1W') -> 'docs') || (tests.search_reply(author => 'Some Body', work_key => '/works/OL2W') -> 'docs')
    || (tests.search_reply(author => 'Any One', work_key => '/works/OL3W') -> 'docs')
)) as row \gset
select is((tests.queue_row(:'row')).match_details -> 'rivals', '["openlibrary:/works/OL2W", "openlibrary:/works/OL3W"]', 'the dismissed book does not compete');
select count(*) from public.approve_enrichment(:'row', null, 'openlibrary:/works/OL3W');

select results_eq(
    format('select place, candidate, is_dismissed from public.explain_enrichment(%L)', :'work'),
    $$ values (1, 'openlibrary:/works/OL3W', false), (2, 'openlibrary:/works/OL1W', true), (3, 'openlibrary:/works/OL2W', false) $$, 'it comes behind, and is marked'
);
select matches(
    (select e.sentence from public.explain_enrichment(:'work') as e where e.candidate = 'openlibrary:/works/OL2W'), 'another was chosen instead$', 'and so does the one passed over'
);

select * from finish();
rollback;
