-- Two providers know another volume of the series: they agree with each other, and still it is not this book.
begin;
select plan(2);

select tests.switch_on();
select tests.create_book('The Hunger Games (The Hunger Games, #1)') as work \gset
select tests.store_lookup(
    'title', enrichment.lookup_key('hunger games', 'Suzanne Collins'), tests.google_reply('The Hunger Games (The Hunger Games, #2)', 'Suzanne Collins'), 'googlebooks'
);
select tests.enrich(:'work', tests.search_reply('The Hunger Games (The Hunger Games, #2)')) as row \gset

select cmp_ok((tests.queue_row(:'row')).confidence, '<', 'medium'::enrichment.confidence, 'the tier is that of each alone');
select is((select w.default_cover_url from public.works as w), null, 'nothing is written');

select * from finish();
rollback;
