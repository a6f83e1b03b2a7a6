-- Having the book in the library is not enough: whoever asked for the row or approved it may take it back, and the service.
begin;
select plan(7);

select tests.create_reader('ada') as ada, tests.create_reader('bob') as bob, tests.create_reader('eve') as eve \gset
select tests.create_book(isbn13 => '9780439023481') as work \gset
select tests.add_to_shelf(:'ada', :'work'), tests.add_to_shelf(:'bob', :'work'), tests.add_to_shelf(:'eve', :'work');
select tests.act_as(:'ada');
select queue_id as row from public.trigger_enrichment(array[:'work']::uuid[]) \gset
select tests.act_as_owner();
select tests.store_lookup('isbn', '9780439023481', tests.search_reply(isbn13 => '9780439023481'));
select count(*) from public.sweep_enrichment();

select tests.act_as(:'bob');
select throws_ok(format('select * from public.undo_enrichment(%L)', :'row'), 'PT403', null, 'Bob did neither');
select count(*) from public.approve_enrichment(:'row', '{edition.publisher}');
savepoint approved;
select lives_ok(format('select * from public.undo_enrichment(%L)', :'row'), 'Bob approved it, so he may');
rollback to approved;
select tests.act_as(:'ada');
select lives_ok(format('select * from public.undo_enrichment(%L)', :'row'), 'Ada asked for it, so she may');
rollback to approved;
select tests.act_as(:'eve');
select throws_ok(format('select * from public.undo_enrichment(%L)', :'row'), 'PT403', null, 'Eve only has the book');
select throws_ok('select * from public.undo_enrichment(gen_random_uuid())', 'PT404', null, 'no such row');
select tests.act_as_service();
select lives_ok(format('select * from public.undo_enrichment(%L)', :'row'), 'the service may');
select tests.act_as_owner();
set local role anon;
select throws_ok(format('select * from public.undo_enrichment(%L)', :'row'), '42501', null, 'a visitor may not even ask');

select * from finish();
rollback;
