-- Confidence, sentence, provider and import narrow the rows down; what fits is approved, the rest stays in review.
begin;
select plan(7);

select tests.create_reader() as ada \gset
select tests.create_book('Catching Fire', isbn13 => '9780439023498') as other \gset
select tests.bring_to_review(:'other', '9780439023498') as other_row \gset
select count(*) from public.configure_enrichment('{"auto_enabled": true}');
select count(*) from tests.import(:'ada', tests.csv_row(2, more => '{"isbn": "9780439023481"}'));
select id as import from enrichment.imports \gset
select tests.store_lookup('isbn', '9780439023481', tests.search_reply(title => 'Les Jeux de la faim', isbn13 => '9780439023481'));
select count(*) from public.sweep_enrichment();
select match_details ->> 'sentence' as sentence from public.enrichment_queue where import_id = :'import' \gset

select is((select matched from public.approve_matching('low')), 1, 'one is of low confidence');
select is((select matched from public.approve_matching('high')), 1, 'one of high');
select is((select matched from public.approve_matching(sentence => :'sentence')), 1, 'one says this');
select is((select matched from public.approve_matching(provider => 'googlebooks')), 0, 'none is Google''s');
select is((select matched from public.approve_matching('high', import_id => :'import')), 0, 'none is both of high confidence and of the import');
select results_eq(
    format($$ select is_dry_run, matched, changed, skipped, remaining, fields ->> 'edition.publisher' from public.approve_matching('low', 'openlibrary', %L, %L, is_dry_run => false) $$, :'sentence', :'import'),
    $$ values (false, 1, 1, 0, 0, '1') $$, 'the one that fits all is approved'
);
select is((tests.queue_row(:'other_row')).status, 'needs_review', 'the other waits');

select * from finish();
rollback;
