-- With auto_apply_metadata off, as it is by default, a sure match fills the cover and proposes the text.
begin;
select plan(4);

select tests.switch_on();
select count(*) from public.configure_enrichment('{"auto_apply_metadata": false}');
select tests.create_book(isbn13 => '9780439023481') as work \gset
select tests.enrich(:'work', tests.search_reply(isbn13 => '9780439023481')) as row \gset

select results_eq('select default_cover_url is not null, first_publish_year from public.works', 'values (true, null::smallint)', 'the cover is filled, the year not');
select results_eq('select publisher, publish_date, isbn10, language from public.editions', 'values (null::varchar, null::date, null::varchar, null::varchar)', 'nor the edition');
select is((tests.queue_row(:'row')).cover_applied, true, 'the row says that it filled the cover');
select set_eq(
    format($$ select jsonb_object_keys((tests.queue_row(%L)).match_details -> 'proposals') $$, :'row'),
    array['work.first_publish_year', 'edition.publisher', 'edition.publish_date', 'edition.isbn10', 'edition.language'], 'all else is proposed'
);

select * from finish();
rollback;
