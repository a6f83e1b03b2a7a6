-- With auto_apply_covers off, even a sure cover is only proposed; text fields follow their own switch.
begin;
select plan(3);

select tests.switch_on();
select count(*) from public.configure_enrichment('{"auto_apply_covers": false}');
select tests.create_book(isbn13 => '9780439023481') as work \gset
select tests.enrich(:'work', tests.search_reply(isbn13 => '9780439023481')) as row \gset

select results_eq('select default_cover_url, first_publish_year::integer from public.works', 'values (null::text, 2008)', 'the year is filled, the cover not');
select is((tests.queue_row(:'row')).status, 'needs_review', 'a person is asked');
select set_eq(
    format($$ select jsonb_object_keys((tests.queue_row(%L)).match_details -> 'proposals') $$, :'row'), array['work.cover_url'], 'for the cover only'
);

select * from finish();
rollback;
