-- Fields that are not named are dropped as if left unticked; a row that proposes none of them is left alone.
begin;
select plan(4);

select tests.create_book(isbn13 => '9780439023481') as work, tests.create_book('Catching Fire', isbn13 => '9780439023498') as other \gset
select tests.bring_to_review(:'work') as row, tests.bring_to_review(:'other', '9780439023498') as other_row \gset
update public.enrichment_queue set match_details = match_details #- '{proposals,edition.publisher}' where id = :'other_row';

select results_eq(
    $$ select matched, changed, fields from public.approve_matching(fields => '{edition.publisher}', is_dry_run => false) $$, $$ values (1, 1, '{"edition.publisher": 1}'::jsonb) $$,
    'one row, one field'
);
select is((select publisher from public.editions where work_id = :'work'), 'Scholastic Press', 'it is written');
select is((select first_publish_year from public.works where id = :'work'), null, 'another is not');
select is((tests.queue_row(:'other_row')).status, 'needs_review', 'the row without that proposal waits');

select * from finish();
rollback;
