-- A dry run, which is the default, says how many rows fit and which fields they would fill, and writes nothing.
begin;
select plan(3);

select tests.create_book(isbn13 => '9780439023481') as work, tests.create_book('Catching Fire', isbn13 => '9780439023498') as other \gset
select tests.bring_to_review(:'work'), tests.bring_to_review(:'other', '9780439023498');
update public.works set first_publish_year = 1999 where id = :'other';
select count(*) from public.lock_fields(:'other', '{edition.publisher}', tests.edition_of(:'other'));
create temp table before as select q.* from public.enrichment_queue as q;

select results_eq(
    'select is_dry_run, matched, changed, skipped, fields, remaining from public.approve_matching()',
    $$ values (true, 2, 0, 0, '{"edition.isbn10": 2, "edition.language": 2, "edition.publisher": 1, "edition.publish_date": 2, "work.first_publish_year": 1}'::jsonb, 2) $$,
    'what would be filled: not what is there or locked'
);
select set_eq('select * from public.enrichment_queue', 'select * from before', 'no row has changed');
select is_empty('select 1 from public.editions where publisher is not null', 'nothing is written');

select * from finish();
rollback;
