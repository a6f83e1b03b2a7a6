-- A row that raises is left in review and counted; the others are approved.
begin;
select plan(3);

select tests.create_book(isbn13 => '9780439023481') as work, tests.create_book('Catching Fire', isbn13 => '9780439023498') as other \gset
select tests.bring_to_review(:'work') as row, tests.bring_to_review(:'other', '9780439023498') as other_row \gset
create function tests.refuse_update() returns trigger language plpgsql as $$ begin raise 'the host says no'; end $$;
create trigger host_says_no before update of publisher on public.editions for each row when (new.isbn13 = '9780439023481') execute function tests.refuse_update();

select results_eq('select matched, changed, skipped from public.approve_matching(is_dry_run => false)', 'values (2, 1, 1)', 'one of two is approved');
select is((tests.queue_row(:'row')).status, 'needs_review', 'the bad one waits');
select is((tests.queue_row(:'other_row')).status, 'completed', 'the other is done');

select * from finish();
rollback;
