-- What one provider leaves open the next one fills, and the log keeps apart who said what.
begin;
select plan(3);

select tests.switch_on();
update public.users set enable_google_books = true where id = tests.create_reader();
select count(*) from public.configure_enrichment('{"provider_keys": ["googlebooks"]}');
update public.users set enable_google_books = true;
select tests.create_book(isbn13 => '9780439023481') as work \gset
select tests.add_to_shelf(u.id, :'work') from public.users as u;
select tests.store_lookup('isbn', '9780439023481', '{"items": [{"id": "aBcD", "volumeInfo": {"title": "The Hunger Games", "authors": ["Suzanne Collins"],
    "description": "Twenty-four are sent in.", "pageCount": 374, "publisher": "Another", "industryIdentifiers": [{"identifier": "9780439023481"}]}}]}', 'googlebooks');
select tests.enrich(:'work', tests.search_reply(isbn13 => '9780439023481')) as row \gset

select set_eq(
    $$ select provider::text, (select array_agg(k order by k collate "C") from jsonb_object_keys(fields_changed) as k) from public.enrichment_audit_log $$,
    $$ values
    ('openlibrary', '{edition.isbn10,edition.language,edition.publish_date,edition.publisher,work.cover_url,work.first_publish_year}'::text[]),
    ('googlebooks', '{edition.total_pages,work.description}') $$, 'Google fills the two gaps that Open Library left'
);
select is((select e.publisher from public.editions as e), 'Scholastic Press', 'and does not argue about the others');
select is((tests.queue_row(:'row')).providers_attempted, '{googlebooks,openlibrary}', 'the row names both');

select * from finish();
rollback;
