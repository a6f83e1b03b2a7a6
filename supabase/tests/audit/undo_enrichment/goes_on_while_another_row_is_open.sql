-- A work may be in line again while its last row is undone; that row is left as it is.
begin;
select plan(3);

select tests.switch_on();
select tests.create_book(isbn13 => '9780439023481') as work \gset
select tests.bring_to_review(:'work') as row \gset
select tests.let_pass('1 hour');
update public.works set description = null;
select tests.let_replies_expire();
select tests.enqueue(:'work') as open \gset
create temp table before as select * from tests.queue_row(:'open');

select is((tests.queue_row(:'open')).status, 'pending', 'the work is in line again');
select is((select count(*) from public.undo_enrichment(:'row')), 1::bigint, 'its last row is undone');
select results_eq(format('select * from tests.queue_row(%L)', :'open'), 'select * from before', 'the open row is as it was');

select * from finish();
rollback;
