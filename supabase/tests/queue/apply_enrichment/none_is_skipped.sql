-- A reply that holds another book only: the row is skipped, nothing is written or proposed, and the details say what was found.
begin;
select plan(4);

select tests.switch_on();
select tests.create_book() as work \gset
select tests.enrich(:'work', tests.search_reply('Twilight', 'Stephenie Meyer')) as row \gset

select is((tests.queue_row(:'row')).status, 'skipped', 'the row is skipped');
select results_eq('select default_cover_url, first_publish_year from public.works', 'values (null::text, null::smallint)', 'nothing is written');
select is((tests.queue_row(:'row')).match_details -> 'proposals', null, 'nothing is proposed');
select is((tests.queue_row(:'row')).match_details #>> '{candidates,0,title}', 'Twilight', 'what was found is there to be read');

select * from finish();
rollback;
