-- A worker may bring nothing for a row: it goes back, says that it waits for its next look-up, and no attempt is spent.
begin;
select plan(3);

select tests.switch_on();
select tests.enqueue(tests.create_book()) as row \gset

select results_eq(
    'select outcome, status::text, message from public.apply_enrichment(tests.answer(tests.claim_one()))',
    $$ values ('applied', 'pending', 'next_lookup') $$, 'the row is pending again'
);
select is((tests.queue_row(:'row')).attempt_count, 0::smallint, 'the attempt is given back');
select is_empty('select * from public.enrichment_audit_log', 'nothing happened that would be logged');

select * from finish();
rollback;
