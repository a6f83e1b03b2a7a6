-- Two works fit equally well; the second is also what the other provider found, the first is not. That settles it.
begin;
select plan(4);

select tests.switch_on();
select tests.create_book('The Long Walk', 'Anna Berg') as work, tests.create_book('The Long Walk', 'Anna Berg') as tied \gset
select tests.store_lookup('title', enrichment.lookup_key('long walk', 'Anna Berg'), tests.google_reply('The Long Walk', 'Anna Berg', more => '{"subtitle": "Across the Andes"}'), 'googlebooks');
select tests.enrich(:'work', tests.two_long_walks()) as row \gset

select is((tests.queue_row(:'row')).match_details -> 'rivals', null, 'nobody is asked');
select is((select w.default_cover_url from public.works as w where w.id = :'work'), 'https://covers.openlibrary.org/b/id/2-M.jpg', 'the agreed book is taken');
select results_eq(
    format('select place, candidate from public.explain_enrichment(%L)', :'work'),
    $$ values (1, 'openlibrary:/works/OL2W'), (2, 'openlibrary:/works/OL1W'), (3, 'googlebooks:aBcD') $$, 'and stands first'
);

update public.source_records set raw = jsonb_set(raw, '{items,0,volumeInfo,subtitle}', '"Over the Moon"'), fetched_at = now() + interval '1 second' where provider = 'googlebooks';
update public.source_records set fetched_at = now() + interval '1 second';
select tests.enqueue(:'tied') as row \gset
select count(*) from public.sweep_enrichment();
select is(
    (tests.queue_row(:'row')).match_details -> 'rivals', '["openlibrary:/works/OL1W", "openlibrary:/works/OL2W", "googlebooks:aBcD"]', 'three books known to one each stay a question'
);

select * from finish();
rollback;
