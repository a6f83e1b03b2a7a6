-- Locks add up: the answer lists all of them, those of the work and those of the edition asked for; locking twice changes nothing.
begin;
select plan(3);

select tests.create_book() as work \gset
select tests.edition_of(:'work') as edition \gset

select results_eq(
    format($$ select work_id, edition_id, field from public.lock_fields(%L, '{work.description,edition.publisher}', %L) $$, :'work', :'edition'),
    format($$ values (%L::uuid, %L::uuid, 'edition.publisher'), (%L, null, 'work.description') $$, :'work', :'edition', :'work'), 'two locks'
);
select is((select count(*) from public.lock_fields(:'work', '{work.description,work.cover_url}', :'edition')), 3::bigint, 'one more makes three');
select is((select count(*) from public.lock_fields(:'work', '{}')), 2::bigint, 'without the edition, those of the work');

select * from finish();
rollback;
