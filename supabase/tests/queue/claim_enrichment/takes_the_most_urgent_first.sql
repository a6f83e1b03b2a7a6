-- The lowest priority number goes first, and among equals who has been due for longest.
begin;
select plan(2);

select tests.switch_on();
select
    tests.enqueue(tests.create_book('Imported'), 'post_import') as imported,
    tests.enqueue(tests.create_book('Long due')) as long_due, tests.enqueue(tests.create_book('Just due')) as just_due \gset
update public.enrichment_queue set next_attempt_after = now() - interval '1 hour' where id in (:'long_due', :'imported');

select results_eq(
    $$ select c.title from public.claim_enrichment('worker one', 2) as c $$,
    array['Long due', 'Just due'], 'wishes first, the longest due before'
);
select is((tests.claim_one()).queue_id, :'imported'::uuid, 'then the import');

select * from finish();
rollback;
