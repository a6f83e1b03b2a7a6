-- A row that is skipped or put up for review says so in the log, with the scores that led there.
begin;
select plan(2);

select tests.switch_on();
select tests.create_book('Asked about') as asked, tests.create_book('Unheard of') as missed \gset
select tests.enrich(:'asked', tests.search_reply('Asked about', null)), tests.enrich(:'missed', null);

select set_eq(
    $$ select work_id, action::text, confidence::text, match_details ->> 'sentence', fields_changed from public.enrichment_audit_log $$,
    format($$ values (%L::uuid, 'queued_review', 'low', 'title equal, author not named', '{}'::jsonb), (%L, 'skipped', 'none', 'no provider knows this book', '{}') $$, :'asked', :'missed'),
    'one row each'
);
select isnt_empty($$ select 1 from public.enrichment_audit_log where match_details #> '{proposals,work.cover_url}' is not null $$, 'with what was proposed');

select * from finish();
rollback;
