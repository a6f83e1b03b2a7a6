-- The title agrees and nobody is named as author: that is a question, and nothing is written.
begin;
select plan(4);

select tests.switch_on();
select tests.create_book() as work \gset
select tests.enrich(:'work', tests.search_reply(author => null)) as row \gset

select is((tests.queue_row(:'row')).confidence, 'low', 'the row is low');
select is((tests.queue_row(:'row')).status, 'needs_review', 'and waits for a person');
select results_eq('select default_cover_url, first_publish_year from public.works', 'values (null::text, null::smallint)', 'nothing is written');
select set_eq(
    format($$ select jsonb_object_keys((tests.queue_row(%L)).match_details -> 'proposals') $$, :'row'),
    array['work.cover_url', 'work.first_publish_year'], 'both fields are proposed'
);

select * from finish();
rollback;
