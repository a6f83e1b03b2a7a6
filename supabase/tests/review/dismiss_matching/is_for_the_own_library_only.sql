-- A reader dismisses rows of the own shelf only.
begin;
select plan(2);

select tests.create_reader('ada') as ada, tests.create_book(isbn13 => '9780439023481') as work \gset
select tests.bring_to_review(:'work') as row \gset
select tests.act_as(:'ada');
select is((select matched from public.dismiss_matching(is_dry_run => false)), 0, 'Ada has no such book');
select tests.act_as_owner();
select is((tests.queue_row(:'row')).status, 'needs_review', 'so the row waits');

select * from finish();
rollback;
