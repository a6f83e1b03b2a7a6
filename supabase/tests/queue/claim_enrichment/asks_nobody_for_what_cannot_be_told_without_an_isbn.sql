-- A book without ISBN lacks only its edition's language: no look-up could say which edition it is, so no call is spent on it.
begin;
select plan(4);

select tests.switch_on();
select tests.create_book('No ISBN') as without, tests.create_book('An ISBN') as with_isbn \gset
select tests.fill_every_gap(:'without'), tests.fill_every_gap(:'with_isbn');
update public.editions set isbn10 = null, isbn13 = null, language = null where work_id = :'without';
update public.editions set language = null where work_id = :'with_isbn';

select is(
    (select o.outcome from public.enqueue_enrichment(array[:'without'::uuid]) as o), 'known_miss', 'there is nothing new to be learnt about the one'
);
select is((select o.outcome from public.enqueue_enrichment(array[:'with_isbn'::uuid]) as o), 'enqueued', 'there is about the other');
select is((select c.lookups #>> '{0,kind}' from tests.claim_one() as c), 'isbn', 'by its ISBN');
update public.works set description = null where id = :'without';
select is(
    (select o.outcome from public.enqueue_enrichment(array[:'without'::uuid]) as o), 'enqueued', 'of the work a search by title can say something'
);

select * from finish();
rollback;
