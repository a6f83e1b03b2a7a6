-- What was left unticked is not written, and not proposed again from that book.
begin;
select plan(4);

select tests.create_book(isbn13 => '9780439023481') as work \gset
select tests.bring_to_review(:'work') as row \gset

select is((select fields_applied from public.approve_enrichment(:'row', '{edition.publisher}')), '{edition.publisher}', 'the ticked field is applied');
select is((select w.first_publish_year from public.works as w), null, 'the unticked year is not');

select tests.let_pass('1 hour');
update public.source_records set fetched_at = now();
select tests.enqueue(:'work') as again \gset
select count(*) from public.sweep_enrichment();
select is((tests.queue_row(:'again')).status, 'completed', 'asked again, the same book is found');
select is((tests.queue_row(:'again')).match_details -> 'proposals', null, 'and proposes none of it');

select * from finish();
rollback;
