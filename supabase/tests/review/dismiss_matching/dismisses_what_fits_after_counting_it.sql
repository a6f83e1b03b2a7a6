-- A dry run counts; then what fits is dismissed, its candidates rejected, nothing written, and the rest waits.
begin;
select plan(5);

select tests.create_book(isbn13 => '9780439023481') as work, tests.create_book('Catching Fire', isbn13 => '9780439023498') as other \gset
select tests.bring_to_review(:'work') as row, tests.bring_to_review(:'other', '9780439023498') as other_row \gset
update public.enrichment_queue set confidence = 'low' where id = :'row';

select results_eq(
    $$ select is_dry_run, matched, changed, fields ->> 'edition.publisher' from public.dismiss_matching('low') $$, $$ values (true, 1, 0, '1') $$, 'one fits'
);
select is((tests.queue_row(:'row')).status, 'needs_review', 'and still waits');
select results_eq(
    $$ select is_dry_run, matched, changed, skipped, remaining from public.dismiss_matching('low', is_dry_run => false) $$, 'values (false, 1, 1, 0, 0)', 'now it is dismissed'
);
select results_eq(
    format('select (tests.queue_row(%L)).status::text, (tests.queue_row(%L)).status::text', :'row', :'other_row'), $$ values ('skipped', 'needs_review') $$, 'the other waits'
);
select is((select work_id from enrichment.rejected_candidates), :'work', 'its candidate is rejected');

select * from finish();
rollback;
