-- The right book in another edition tells about the work; its publisher and pages are not ours.
begin;
select plan(3);

select tests.switch_on();
select tests.create_book(isbn13 => '9780439023481') as work \gset
select tests.store_lookup('title', 'hunger games | suzanne collins', tests.search_reply(isbn13 => '9780439023498'));
select tests.enrich(:'work', null) as row \gset

select isnt((select w.default_cover_url from public.works as w), null, 'the work gets its cover');
select results_eq('select publisher, publish_date, isbn10, language from public.editions', 'values (null::varchar, null::date, null::varchar, null::varchar)', 'the edition nothing');
select is_empty(
    format($$ select k from jsonb_object_keys((tests.queue_row(%L)).match_details -> 'proposals') as k where k like 'edition.%%' $$, :'row'), 'not even a proposal'
);

select * from finish();
rollback;
