-- As for locking: somebody else's book, an unknown one and a misspelt field are refused.
begin;
select plan(5);

select tests.create_reader() as ada, tests.create_book('Hers') as hers, tests.create_book('His') as his \gset
select tests.add_to_shelf(:'ada', :'hers');
select count(*) from public.lock_fields(:'his', '{work.cover_url}');
select tests.act_as(:'ada');
select throws_ok(format($$ select * from public.unlock_fields(%L, '{work.cover_url}') $$, :'his'), 'PT403', null, 'not her book');
select throws_ok($$ select * from public.unlock_fields(gen_random_uuid(), '{work.cover_url}') $$, 'PT404', null, 'no book at all');
select throws_ok(format($$ select * from public.unlock_fields(%L, '{cover}') $$, :'hers'), 'PT422', null, 'no such field');
select throws_ok(format($$ select * from public.unlock_fields(%L, '{edition.publisher}') $$, :'hers'), 'PT422', null, 'which edition?');
select tests.act_as_owner();
select is((select count(*) from enrichment.field_locks), 1::bigint, 'his lock stays');

select * from finish();
rollback;
