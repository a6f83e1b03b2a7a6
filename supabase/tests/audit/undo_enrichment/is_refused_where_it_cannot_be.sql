-- A row that is still open, one that wrote nothing, one that was undone already: each is refused and says what to do.
begin;
select plan(6);

select tests.switch_on();
select tests.create_book(isbn13 => '9780439023481') as work, tests.create_book('Dune', 'Frank Herbert') as dune \gset
select tests.enqueue(:'dune') as row \gset
select throws_ok(format('select * from public.undo_enrichment(%L)', :'row'), 'PT409', format('queue row %s is still pending', :'row'), 'a pending row');
create temp table held as select tests.claim_one() as claim;
select throws_ok(format('select * from public.undo_enrichment(%L)', :'row'), 'PT409', format('queue row %s is still in_progress', :'row'), 'one that is worked on');
select count(*) from public.apply_enrichment((select tests.answer_with(held.claim, null) from held));
select is((tests.queue_row(:'row')).status, 'skipped', 'nobody knows Dune');
select throws_ok(format('select * from public.undo_enrichment(%L)', :'row'), 'PT409', format('queue row %s has written nothing', :'row'), 'nothing to take back');

select tests.bring_to_review(:'work') as second \gset
select lives_ok(format('select * from public.undo_enrichment(%L)', :'second'), 'a row that wrote something');
select throws_ok(format('select * from public.undo_enrichment(%L)', :'second'), 'PT409', format('queue row %s was undone already', :'second'), 'is undone once');

select * from finish();
rollback;
