-- What was written stands in the log with its old and new value, where it came from, and the scores that led to it.
begin;
select plan(4);

select tests.switch_on();
select tests.create_book(isbn13 => '9780439023481') as work \gset
update public.works set default_cover_url = '' where id = :'work';
select tests.enrich(:'work', tests.search_reply(isbn13 => '9780439023481')) as row \gset

select results_eq(
    'select enrichment_queue_id, work_id, edition_id, action::text, provider::text, confidence::text, actor from public.enrichment_audit_log',
    format($$ values (%L::uuid, %L::uuid, %L::uuid, 'auto_applied', 'openlibrary', 'high', null::uuid) $$, :'row', :'work', tests.edition_of(:'work')),
    'one row for the one candidate'
);
select results_eq(
    $$ select key, value ->> 'old', value ->> 'new', a.previous_values ->> key
    from public.enrichment_audit_log as a, jsonb_each(a.fields_changed) order by key collate "C" $$,
    $$ values
    ('edition.isbn10', null, '0439023483', null), ('edition.language', null, 'eng', null), ('edition.publish_date', null, '2008-09-14', null),
    ('edition.publisher', null, 'Scholastic Press', null), ('work.cover_url', '', 'https://covers.openlibrary.org/b/id/12646537-M.jpg', ''),
    ('work.first_publish_year', null, '2008', null) $$, 'every field with what it was and what it is'
);
select is(
    (select a.source_record from public.enrichment_audit_log as a),
    '{"entity_type": "isbn_lookup", "provider_id": "9780439023481", "work_key": "/works/OL5735363W"}', 'the record it came from'
);
select is(
    (select jsonb_path_query_array(a.match_details, '$.candidates[0].*') from public.enrichment_audit_log as a)
    @> '["The Hunger Games", 4, 3, 5, "high"]', true, 'the parts of its score'
);

select * from finish();
rollback;
