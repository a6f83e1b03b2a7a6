-- A provider that answers "Mockingjay (The Hunger Games, #3)" with the first book of the series changes nothing.
begin;
select plan(2);

select tests.switch_on();
select tests.create_book('Mockingjay (The Hunger Games, #3)') as work \gset
select tests.enrich(:'work', tests.search_reply()) as row \gset

select is((tests.queue_row(:'row')).status, 'skipped', 'the row is skipped');
select is((select w.default_cover_url from public.works as w), null, 'without a cover');

select * from finish();
rollback;
