-- A host may write '' or 0 where it knows nothing; that is filled like null.
begin;
select plan(1);

select tests.switch_on();
select tests.create_book(isbn13 => '9780439023481') as work \gset
update public.works set default_cover_url = '', first_publish_year = 0 where id = :'work';
update public.editions set publisher = '', isbn10 = '', language = '' where work_id = :'work';
select tests.enrich(:'work', tests.search_reply(isbn13 => '9780439023481')) as row \gset

select results_eq(
    $$ select w.default_cover_url, w.first_publish_year::integer, e.publisher::text, e.isbn10::text, e.language::text
    from public.works as w join public.editions as e on e.work_id = w.id $$,
    $$ values ('https://covers.openlibrary.org/b/id/12646537-M.jpg', 2008, 'Scholastic Press', '0439023483', 'eng') $$, 'all five are filled'
);

select * from finish();
rollback;
