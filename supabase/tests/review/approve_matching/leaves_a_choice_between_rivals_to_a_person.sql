-- Where two books are shown for a choice, approving everything does not make it; dismissing everything is a decision all the same.
begin;
select plan(3);

select tests.switch_on();
select tests.create_book('The Long Walk', 'Anna Berg') as work \gset
select tests.enrich(:'work', tests.two_long_walks()) as row \gset
select is((select matched from public.approve_matching(is_dry_run => false)), 0, 'nothing to approve');
select is((tests.queue_row(:'row')).status, 'needs_review', 'the question stays');
select is((select matched from public.dismiss_matching()), 1, 'it may be dismissed with the others');

select * from finish();
rollback;
