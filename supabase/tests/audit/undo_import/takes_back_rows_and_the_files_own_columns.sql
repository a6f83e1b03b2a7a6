-- What the import's queue rows wrote and what the file's own columns filled in a book that was there before are both taken back; the books stay on the shelf.
begin;
select plan(8);

select tests.switch_on();
select tests.create_reader() as ada, tests.create_book('Dune', 'Frank Herbert') as dune \gset
select count(*) from tests.import(
    :'ada', tests.csv_row(2, more => '{"isbn": "9780439023481"}'), tests.csv_row(3, 'Dune', 'Frank Herbert', '{"publisher": "Ace", "first_publish_year": 1965}')
);
select id as import from enrichment.imports \gset
select work_id as games, queue_id as row from enrichment.import_rows where row_number = 2 \gset
select tests.store_lookup('isbn', '9780439023481', tests.search_reply(isbn13 => '9780439023481'));
select count(*) from public.sweep_enrichment();

select tests.act_as(:'ada');
select is((select undoable from public.enrichment_import(:'import')), 2, 'both are told beforehand');
create temp table outcome as select * from public.undo_import(:'import');
select is((select undoable from public.enrichment_import(:'import')), 0, 'nothing is left to undo');
select tests.act_as_owner();
select results_eq(
    format('select status::text, fields_restored, fields_kept, reason from outcome where work_id = %L', :'games'),
    $$ values ('completed', '{edition.language,edition.publish_date,edition.publisher,work.cover_url,work.first_publish_year}'::text[], '{}'::text[], null) $$,
    'what was looked up is taken back'
);
select results_eq(
    format('select fields_restored, reason from outcome where work_id = %L', :'dune'), $$ values ('{edition.publisher,work.first_publish_year}'::text[], null) $$,
    'what the file said, too'
);
select is_empty('select 1 from public.works where default_cover_url is not null or first_publish_year is not null', 'the works are as they were');
select is_empty('select 1 from public.editions where publisher is not null or language is not null', 'so are their editions');
select is((select count(*) from public.library_items), 2::bigint, 'both books stay on the shelf');
select is((select count(*) from public.enrichment_audit_log where action = 'undone' and import_id = :'import' and actor = :'ada'), 3::bigint, 'a log line per row, one for the file');

select * from finish();
rollback;
