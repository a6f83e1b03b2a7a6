-- Previewed, then done: the state, the tier, the sentence, the reason and the values are those that were foretold.
begin;
select plan(4);

select tests.switch_on();
select count(*) from public.configure_enrichment('{"auto_apply_metadata": false}');
select tests.create_book(isbn13 => '9780439023481') as certain, tests.create_book('Home', null) as doubtful, tests.create_book('Mockingjay') as foreign_one,
    tests.create_book('Twilight', 'Stephenie Meyer', '9780316015844') as halfway \gset
select tests.store_lookup('isbn', '9780439023481', tests.search_reply(isbn13 => '9780439023481')),
    tests.store_lookup('title', enrichment.lookup_key('home', null), tests.search_reply('Home')),
    tests.store_lookup('title', enrichment.lookup_key('mockingjay', 'Suzanne Collins'), tests.search_reply('Divergent', 'Veronica Roth')),
    tests.store_lookup('isbn', '9780316015844', null);
create temp table foretold as
select * from public.preview_enrichment(array[:'certain', :'doubtful', :'foreign_one', :'halfway']::uuid[]);

select tests.enqueue(w.id) from public.works as w;
select count(*) from public.sweep_enrichment();

select results_eq(
    format('select status::text from foretold order by array_position(array[%L, %L, %L, %L]::uuid[], work_id)', :'certain', :'doubtful', :'foreign_one', :'halfway'),
    $$ values ('needs_review'), ('needs_review'), ('skipped'), ('pending') $$, 'four ways a work can go'
);
select results_eq(
    'select work_id, status, confidence, sentence, wait_reason from foretold order by work_id',
    $$ select work_id, status, confidence, match_details ->> 'sentence', wait_reason from public.enrichment_queue order by work_id $$, 'each goes as foretold'
);
select set_eq(
    $$ select f.work_id, v.key, v.value ->> 'value' as value, v.value ->> 'candidate' as candidate from foretold as f cross join lateral jsonb_each(f."values") as v where not (v.value -> 'is_applied')::boolean $$,
    $$ select q.work_id, p.key, p.value ->> 'value' as value, p.value ->> 'candidate' as candidate from public.enrichment_queue as q cross join lateral jsonb_each(q.match_details -> 'proposals') as p $$,
    'what was not to be applied is proposed'
);
select set_eq(
    $$ select f.work_id, v.key, v.value ->> 'value' as value, v.value ->> 'provider' as provider from foretold as f cross join lateral jsonb_each(f."values") as v where (v.value -> 'is_applied')::boolean $$,
    $$ select a.work_id, c.key, c.value ->> 'new' as value, a.provider::text as provider from public.enrichment_audit_log as a cross join lateral jsonb_each(a.fields_changed) as c $$,
    'what was to be applied is written'
);

select * from finish();
rollback;
