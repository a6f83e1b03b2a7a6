-- Only whoever imported the file may undo it, and the service.
begin;
select plan(4);

select tests.create_reader('ada') as ada, tests.create_reader('bob') as bob \gset
select count(*) from tests.import(:'ada', tests.csv_row(2));
select count(*) from tests.import(:'bob', tests.csv_row(2));
select id as import from enrichment.imports where user_id = :'ada' \gset

select tests.act_as(:'bob');
select throws_ok(format('select * from public.undo_import(%L)', :'import'), 'PT403', null, 'not Bob''s, though he has the book');
select throws_ok('select * from public.undo_import(gen_random_uuid())', 'PT404', null, 'no such import');
select tests.act_as(:'ada');
select lives_ok(format('select * from public.undo_import(%L)', :'import'), 'Ada''s');
select tests.act_as_service();
select lives_ok(format('select * from public.undo_import(%L)', :'import'), 'or the service''s');

select * from finish();
rollback;
