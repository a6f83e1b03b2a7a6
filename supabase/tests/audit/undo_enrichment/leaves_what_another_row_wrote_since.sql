-- An equal value that a later row wrote, after somebody had emptied the first, is the later row's: undoing the first leaves it.
begin;
select plan(4);

select tests.switch_on();
select tests.create_book(isbn13 => '9780439023481') as work \gset
select tests.bring_to_review(:'work') as first \gset
update public.works set first_publish_year = null;
select tests.let_pass('1 hour');
update public.source_records set fetched_at = now(), raw = tests.search_reply(isbn13 => '9780439023481', work_key => '/works/OL1W');
select tests.enqueue(:'work') as second \gset
select count(*) from public.sweep_enrichment();
select is((tests.queue_row(:'second')).fields_applied, '{work.first_publish_year}', 'another row fills the year with the same number');

select ok((select 'work.first_publish_year' = any(fields_kept) from public.undo_enrichment(:'first')), 'the first row keeps its hands off it');
select is((select first_publish_year::integer from public.works), 2008, 'it stays');
select is((select fields_restored from public.undo_enrichment(:'second')), '{work.first_publish_year}', 'the second row takes it back');

select * from finish();
rollback;
