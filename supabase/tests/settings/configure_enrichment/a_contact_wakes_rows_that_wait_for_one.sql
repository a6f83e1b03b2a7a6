-- Rows that wait because no contact is set are due as soon as one is.
begin;
select plan(3);

select tests.enqueue(tests.create_book()) as row \gset
select is_empty($$ select public.claim_enrichment('worker one') $$, 'without a contact nothing can be claimed');
select is((tests.queue_row(:'row')).wait_reason, 'no_contact', 'and the row says so');

select count(*) from public.configure_enrichment('{"contact": "tests@example.org"}');

select is((tests.claim_one()).queue_id, :'row'::uuid, 'with one it can');

select * from finish();
rollback;
