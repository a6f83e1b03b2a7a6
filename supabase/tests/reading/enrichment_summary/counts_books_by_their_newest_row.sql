-- A book counts once, by its newest row; covers that were taken back do not count as filled.
begin;
select plan(4);

select tests.create_reader('ada') as ada, tests.create_reader('bob') as bob \gset
select tests.create_book(isbn13 => '9780439023481') as games, tests.create_book('Dune') as dune, tests.create_book('Emma') as emma, tests.create_book('His') as his \gset
select tests.add_to_shelf(:'ada', w) from unnest(array[:'games', :'dune', :'emma']::uuid[]) as w;
select tests.add_to_shelf(:'bob', :'his'), tests.enqueue(:'his');
select tests.fill_every_gap(:'emma');
select tests.bring_to_review(:'games') as row \gset
select tests.enqueue(:'dune', 'scheduled');

select tests.act_as(:'ada');
select results_eq(
    'select books, missing_cover, missing_something, pending, in_progress, completed, needs_review, failed, skipped, covers_applied, next_due_at, next_reason from public.enrichment_summary()',
    $$ values (3, 1, 2, 1, 0, 0, 1, 0, 0, 1, null::timestamptz, 'auto_disabled') $$, 'three books, one in review, one that waits for a switch'
);
select tests.act_as_owner();
select count(*) from public.undo_enrichment(:'row');
update public.enrichment_queue set wait_reason = 'daily', next_attempt_after = now() + interval '1 hour' where is_open;
select tests.act_as(:'ada');
select results_eq(
    'select missing_cover, needs_review, skipped, covers_applied, next_due_at, next_reason from public.enrichment_summary()',
    $$ values (2, 0, 1, 0, now() + interval '1 hour', 'daily') $$, 'the cover that was taken back is missing again'
);
select tests.act_as_service();
select throws_ok('select * from public.enrichment_summary()', '42501', null, 'the service has no library');
set local role authenticated;
select set_config('request.jwt.claims', '', true);
select throws_ok('select * from public.enrichment_summary()', 'PT403', null, 'nobody has none either');

select * from finish();
rollback;
