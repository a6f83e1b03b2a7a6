-- The gaps to fill are those of the edition on the reader's shelf, else of one that has an ISBN.
begin;
select plan(2);

select tests.create_reader() as reader, tests.create_book('Hers') as hers, tests.create_book('Nobody''s') as nobodys \gset
insert into public.editions (work_id, isbn13) values (:'hers', '9780439023481'), (:'nobodys', '9780439023528');
select tests.add_to_shelf(:'reader', :'hers');
select e.id as with_isbn from public.editions as e where e.work_id = :'nobodys' and e.isbn13 is not null \gset
select i.preferred_edition_id as preferred from public.library_items as i \gset

select tests.enqueue(:'hers', triggered_by => :'reader') as her_row, tests.enqueue(:'nobodys') as nobodys_row \gset

select is((tests.queue_row(:'her_row')).edition_id, :'preferred'::uuid, 'hers is the one she prefers');
select is((tests.queue_row(:'nobodys_row')).edition_id, :'with_isbn'::uuid, 'the other is the one with an ISBN');

select * from finish();
rollback;
