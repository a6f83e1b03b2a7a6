-- Called again it does nothing twice; a row that had been in a worker's hands is taken back once it has ended.
begin;
select plan(4);

select tests.switch_on();
select tests.create_reader() as ada, tests.create_book('Dune', 'Frank Herbert') as dune \gset
select count(*) from tests.import(:'ada', tests.csv_row(2, more => '{"isbn": "9780439023481"}'), tests.csv_row(3, 'Dune', 'Frank Herbert', '{"publisher": "Ace"}'));
select id as import from enrichment.imports \gset
create temp table held as select c as claim from public.claim_enrichment('worker one', 2) as c;
select is((select array_agg(fields_restored) from public.undo_import(:'import') where reason is null), array['{edition.publisher}'::text[]], 'first the file''s own column');
update public.editions set publisher = 'Ace' where work_id = :'dune';
select count(*) from held, public.apply_enrichment(
    tests.answer_with(held.claim, case when (held.claim).title = 'The Hunger Games' then tests.search_reply(isbn13 => '9780439023481') end)
);
select is((select count(*) from public.undo_import(:'import') where fields_restored <> '{}'), 1::bigint, 'then the row that has ended since');
select is_empty(format('select * from public.undo_import(%L)', :'import'), 'then nothing');
select is((select publisher from public.editions where work_id = :'dune'), 'Ace', 'what she typed in herself meanwhile stays');

select * from finish();
rollback;
