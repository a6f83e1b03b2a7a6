-- is_mine: the reader asked for the row or approved it. Whose it is otherwise, and from which import of theirs, is not told.
begin;
select plan(6);

select tests.create_reader('ada') as ada, tests.create_reader('bob') as bob \gset
select count(*) from tests.import(:'ada', tests.csv_row(2, more => '{"isbn": "9780439023481"}'));
select id as import from enrichment.imports \gset
select work_id as work, queue_id as row from enrichment.import_rows \gset
select tests.add_to_shelf(:'bob', :'work');
select count(*) from public.configure_enrichment('{"auto_enabled": true}');
select tests.store_lookup('isbn', '9780439023481', tests.search_reply(isbn13 => '9780439023481'));
select count(*) from public.sweep_enrichment();

select tests.act_as(:'ada');
select results_eq('select is_mine, import_id from public.list_enrichment()', format('values (true, %L::uuid)', :'import'), 'Ada''s own');
select tests.act_as(:'bob');
select results_eq('select is_mine, import_id from public.list_enrichment()', 'values (false, null::uuid)', 'Bob sees the row, not whose it is');
select ok((select row_to_json(l)::text not like '%' || :'ada' || '%' from public.list_enrichment() as l), 'nowhere in it');
select count(*) from public.approve_enrichment(:'row', '{}');
select is((select is_mine from public.list_enrichment()), false, 'approving nothing makes it his no more than before');
select tests.act_as_owner();
update public.enrichment_audit_log set action = 'approved', actor = :'bob' where action = 'queued_review';
select tests.act_as(:'bob');
select is((select is_mine from public.list_enrichment()), true, 'approving something does');
select tests.act_as_service();
select is((select is_mine from public.list_enrichment()), true, 'to the service every row is its own');

select * from finish();
rollback;
