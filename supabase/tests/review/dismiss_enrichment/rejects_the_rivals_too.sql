-- Neither of the two: both are rejected, and fetched again they are passed over.
begin;
select plan(2);

select tests.switch_on();
select tests.create_book('The Long Walk', 'Anna Berg') as work \gset
select tests.enrich(:'work', tests.two_long_walks()) as row \gset
select count(*) from public.dismiss_enrichment(:'row');
select set_eq(
    'select candidate_key from enrichment.rejected_candidates where is_dismissed', array['/works/OL1W', '/works/OL2W'], 'both are rejected'
);
select tests.let_replies_expire();
select is((tests.queue_row(tests.enrich(:'work', tests.two_long_walks()))).status, 'skipped', 'and not proposed again');

select * from finish();
rollback;
