-- The books a look-up held, best first, each with its scores, the parts they were made of, a sentence, and where to look at it.
begin;
select plan(5);

select tests.switch_on();
select tests.create_book() as work \gset
select tests.enrich(:'work', jsonb_build_object('docs',
    (tests.search_reply('Mockingjay', work_key => '/works/OL3W', cover_id => 3) -> 'docs') || (tests.search_reply(work_key => '/works/OL1W', cover_id => 1) -> 'docs')
)) as row \gset

select results_eq(
    format('select place, candidate, title_score, author_score, isbn_score, confidence::text, is_dismissed from public.explain_enrichment(%L)', :'work'),
    $$ values (1, 'openlibrary:/works/OL1W', 4, 3, 0, 'medium', false), (2, 'openlibrary:/works/OL3W', 0, 3, 0, 'none', false) $$, 'the best comes first'
);
select results_eq(
    format('select title, authors, source_url, cover_url, sentence from public.explain_enrichment(%L) limit 1', :'work'),
    $$ values ('The Hunger Games', 'Suzanne Collins', 'https://openlibrary.org/works/OL1W', 'https://covers.openlibrary.org/b/id/1-M.jpg', 'title equal, author equal') $$,
    'a person can read why, and go and look'
);
select results_eq(
    format('select place, parts #> ''{title,score}'', parts #> ''{author,score}'', parts #> ''{isbn,score}'' from public.explain_enrichment(%L)', :'work'),
    $$ values (1, '4'::jsonb, '3'::jsonb, '0'::jsonb), (2, '0', '3', '0') $$, 'each part has its score'
);
select ok(
    (select bool_and(e.parts #> '{title,ours}' is not null and e.parts #> '{title,theirs}' is not null) from public.explain_enrichment(:'work') as e),
    'and what was compared'
);
select is(
    (select e."values" from public.explain_enrichment(:'work') as e where e.place = 1),
    '{"work.cover_url": "https://covers.openlibrary.org/b/id/1-M.jpg", "work.first_publish_year": 2008}', 'what it could fill is said whether the field is empty or not'
);

select * from finish();
rollback;
