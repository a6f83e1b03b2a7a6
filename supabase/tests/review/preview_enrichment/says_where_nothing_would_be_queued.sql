-- A complete book, and one whose every answer is known: triggering them would queue nothing, and the sentence says so.
begin;
select plan(1);

select tests.switch_on();
select tests.create_book('Complete') as complete, tests.create_book('Unheard of') as missed \gset
select tests.fill_every_gap(:'complete');
select tests.enrich(:'missed', null);

select results_eq(
    format('select status, sentence, "values" from public.preview_enrichment(array[%L, %L]::uuid[])', :'complete', :'missed'),
    $$ values (null::enrichment.queue_status, 'nothing is missing', '{}'::jsonb), (null, 'nothing new can be learnt', '{}') $$, 'no state, but a reason'
);

select * from finish();
rollback;
