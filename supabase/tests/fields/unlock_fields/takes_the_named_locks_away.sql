-- What is unlocked may be filled again; the other locks stay, of the work and of its editions.
begin;
select plan(4);

select tests.switch_on();
select tests.create_book(isbn13 => '9780439023481') as work \gset
select tests.edition_of(:'work') as edition \gset
select count(*) from public.lock_fields(:'work', '{work.first_publish_year,edition.publisher,edition.language}', :'edition');

select results_eq(
    format($$ select edition_id, field from public.unlock_fields(%L, '{edition.publisher,work.description}', %L) $$, :'work', :'edition'),
    format($$ values (%L::uuid, 'edition.language'), (null, 'work.first_publish_year') $$, :'edition'), 'one lock less; a field without one is no error'
);
select is((select count(*) from public.unlock_fields(:'work', '{edition.language,work.first_publish_year}', :'edition')), 0::bigint, 'then none is left');
select count(*) from public.lock_fields(:'work', '{work.first_publish_year}');
select tests.bring_to_review(:'work');
select is((select publisher from public.editions), 'Scholastic Press', 'the unlocked field is filled');
select is((select first_publish_year from public.works), null, 'the locked one is not');

select * from finish();
rollback;
