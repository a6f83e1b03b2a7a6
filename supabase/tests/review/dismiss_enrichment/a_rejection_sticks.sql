-- A dismissed book is never proposed for that work again, however often it is fetched; another book may still be.
begin;
select plan(4);

select tests.switch_on();
select tests.create_book() as work \gset
select tests.enrich(:'work', tests.search_reply(author => null)) as row \gset
select is((tests.queue_row(:'row')).status, 'needs_review', 'a book is proposed');
select count(*) from public.dismiss_enrichment(:'row');
select tests.let_replies_expire();

select tests.enrich(:'work', tests.search_reply()) as again \gset
select is((tests.queue_row(:'again')).status, 'skipped', 'found again, now even with its author, it is passed over');
select is((select w.default_cover_url from public.works as w), null, 'and writes nothing');

select tests.let_replies_expire();
select tests.enrich(:'work', tests.search_reply(work_key => '/works/OL2W')) as other \gset
select is((tests.queue_row(:'other')).confidence, 'medium', 'another book is welcome');

select * from finish();
rollback;
