-- Two books were shown; the reader takes the second. Its values are written and logged, and the question does not come back.
begin;
select plan(6);

select tests.switch_on();
select tests.create_reader() as ada, tests.create_book('The Long Walk', 'Anna Berg') as work \gset
select tests.add_to_shelf(:'ada', :'work');
select tests.enrich(:'work', tests.two_long_walks()) as row \gset

select tests.act_as(:'ada');
select is(
    (select fields_applied from public.approve_enrichment(:'row', null, 'openlibrary:/works/OL2W')), '{work.cover_url,work.first_publish_year}', 'both fields are applied'
);
select tests.act_as_owner();
select results_eq(
    'select default_cover_url, first_publish_year::integer from public.works', $$ values ('https://covers.openlibrary.org/b/id/2-M.jpg', 2004) $$, 'as the chosen book has them'
);
select results_eq(
    $$ select provider::text, source_record ->> 'work_key', confidence::text, actor, match_details #>> '{candidates,0,work_key}' from public.enrichment_audit_log where action = 'approved' $$,
    format($$ values ('openlibrary', '/works/OL2W', 'medium', %L::uuid, '/works/OL2W') $$, :'ada'), 'the log names it'
);

update public.works set default_cover_url = null, description = 'Known.';
select tests.let_replies_expire();
select tests.enrich(:'work', tests.two_long_walks()) as again \gset
select is((tests.queue_row(:'again')).match_details -> 'rivals', null, 'asked again, the other does not compete');
select is((tests.queue_row(:'again')).status, 'completed', 'nor is it proposed');
select is((select w.default_cover_url from public.works as w), null, 'what was emptied since stays empty');

select * from finish();
rollback;
