-- What was taken back does not come again from the same book, however often one asks; another book may fill it.
begin;
select plan(4);

select tests.switch_on();
select tests.create_book(isbn13 => '9780439023481') as work \gset
select tests.bring_to_review(:'work') as row \gset
select count(*) from public.undo_enrichment(:'row');

select tests.let_pass('1 hour');
update public.source_records set fetched_at = now();
select tests.enqueue(:'work') as again \gset
select count(*) from public.sweep_enrichment();
select is((tests.queue_row(:'again')).fields_applied, '{}', 'asked again, it fills nothing');
select is((select default_cover_url from public.works), null, 'the cover stays away');

select tests.let_pass('1 hour');
update public.source_records set fetched_at = now(), raw = tests.search_reply(isbn13 => '9780439023481', work_key => '/works/OL1W', cover_id => 7);
select tests.enqueue(:'work') as third \gset
select count(*) from public.sweep_enrichment();
select ok('work.cover_url' = any((tests.queue_row(:'third')).fields_applied), 'another book fills it');
select is((select default_cover_url from public.works), 'https://covers.openlibrary.org/b/id/7-M.jpg', 'with its own cover');

select * from finish();
rollback;
