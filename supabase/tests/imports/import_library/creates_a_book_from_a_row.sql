-- A row whose book nobody has becomes a work with its edition, authors and external id, on the reader's shelf as the file says.
begin;
select plan(5);

select tests.create_reader() as reader \gset

select outcome, work_id, edition_id, library_item_id from tests.import(:'reader', tests.csv_row(2, more => '{
    "external_id": "goodreads:2767052", "authors": ["Suzanne Collins", "Somebody Else"], "isbn": "9780439023481", "publisher": "Scholastic Press",
    "published_year": 2008, "first_publish_year": 2008, "total_pages": 374, "format": "hardcover", "status": "completed", "rating": 8, "tags": ["dystopia"]
}')) \gset

select is(:'outcome'::text, 'created', 'the answer says so');
select results_eq(
    format($$ select e.isbn13::text, e.isbn10::text, e.publisher::text, e.publish_date, e.total_pages, e.format::text
        from public.editions as e where e.id = %L $$, :'edition_id'),
    $$ values ('9780439023481', '0439023483', 'Scholastic Press', '2008-01-01'::date, 374, 'hardcover') $$,
    'the edition holds what the file says of it'
);
select bag_eq(
    format($$ select a.name::text
        from public.work_authors as wa join public.authors as a on a.id = wa.author_id where wa.work_id = %L $$, :'work_id'),
    array['Suzanne Collins', 'Somebody Else'], 'the work has both authors'
);
select results_eq(
    format($$ select x.provider::text, x.provider_id::text
        from public.external_ids as x where x.entity_type = 'work' and x.entity_id = %L $$, :'work_id'),
    $$ values ('goodreads_manual', 'goodreads:2767052') $$, 'its external id is the one the host would write'
);
select results_eq(
    format($$ select i.user_id, i.work_id, i.preferred_edition_id, i.status::text, i.visibility::text, i.rating::integer, i.tags::text
        from public.library_items as i where i.id = %L $$, :'library_item_id'),
    format($$ values (%L::uuid, %L::uuid, %L::uuid, 'completed', 'private', 8, '{dystopia}') $$, :'reader', :'work_id', :'edition_id'),
    'it is on the shelf, unseen by others'
);

select * from finish();
rollback;
