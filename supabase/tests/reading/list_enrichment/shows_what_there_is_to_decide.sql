-- A row in review brings all that a review page needs: what is proposed, from where, and why it is asked.
begin;
select plan(1);

select tests.create_book(isbn13 => '9780439023481') as work \gset
select tests.bring_to_review(:'work') as row \gset

select results_eq(
    $$ select queue_id, confidence::text, cover_applied, match_details ->> 'sentence', match_details #> '{proposals,edition.publisher}', providers_attempted
    from public.list_enrichment('needs_review') $$,
    format($$ values (%L::uuid, 'high', true, 'same ISBN, title equal, author equal', '{
        "value": "Scholastic Press", "provider": "openlibrary", "work_key": "/works/OL5735363W",
        "candidate": "openlibrary:/works/OL5735363W", "confidence": "high",
        "source_record": {"entity_type": "isbn_lookup", "provider_id": "9780439023481"}
    }'::jsonb, '{openlibrary}'::text[]) $$, :'row'), 'proposals, scores and sources'
);

select * from finish();
rollback;
