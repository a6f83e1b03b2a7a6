-- What is the wrong book for one work may be the right one for another.
begin;
select plan(1);

select tests.switch_on();
select tests.create_book() as work, tests.create_book() as twin \gset
select count(*) from public.dismiss_enrichment(tests.enrich(:'work', tests.search_reply(author => null)));
select tests.let_replies_expire();

select tests.enrich(:'twin', tests.search_reply()) as row \gset
select is((tests.queue_row(:'row')).confidence, 'medium', 'the other work finds it');

select * from finish();
rollback;
