-- A reply often holds a series: the book that is ours fills the cover, its siblings leave no trace in the catalogue.
begin;
select plan(3);

select tests.switch_on();
select tests.create_book() as work \gset
select tests.enrich(:'work', jsonb_build_object('docs',
    (tests.search_reply('Mockingjay (The Hunger Games, #3)', work_key => '/works/OL3W', cover_id => 3) -> 'docs')
    || (tests.search_reply(cover_id => 1, work_key => '/works/OL1W') -> 'docs')
    || (tests.search_reply('The Hunger Games', 'Some Body Else', work_key => '/works/OL9W', cover_id => 9) -> 'docs')
)) as row \gset

select is((select w.default_cover_url from public.works as w), 'https://covers.openlibrary.org/b/id/1-M.jpg', 'the cover is ours');
select results_eq(
    format($$ select c ->> 'work_key', c ->> 'confidence' from jsonb_array_elements((tests.queue_row(%L)).match_details -> 'candidates') as c $$, :'row'),
    $$ values ('/works/OL1W', 'medium'), ('/works/OL9W', 'low'), ('/works/OL3W', 'none') $$, 'the details rank all three'
);
select set_eq(
    format($$ select p.value ->> 'work_key' from jsonb_each((tests.queue_row(%L)).match_details -> 'proposals') as p $$, :'row'), array['/works/OL1W'],
    'only the best is proposed'
);

select * from finish();
rollback;
