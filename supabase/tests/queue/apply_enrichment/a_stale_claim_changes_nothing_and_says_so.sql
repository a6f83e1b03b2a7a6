-- A worker that comes back after its claim was reset is too late: not a row is touched, not even its reply is kept.
begin;
select plan(6);

select tests.switch_on();
select tests.create_book(isbn13 => '9780439023481') as work \gset
select tests.enqueue(:'work') as row \gset
select tests.answer_with(tests.claim_one(), tests.search_reply(isbn13 => '9780439023481')) as late_answer \gset
select tests.grow_stale();
select count(*) from public.reset_stale_enrichment();
create temp table before as select * from public.enrichment_queue;

select results_eq(
    format('select outcome, status::text, message from public.apply_enrichment(%L)', :'late_answer'),
    $$ values ('stale_claim', null, 'the claim is no longer yours; nothing was changed') $$, 'the worker is told'
);
select set_eq('select * from public.enrichment_queue', 'select * from before', 'the row is as it was');
select is((select w.default_cover_url from public.works as w), null, 'nothing is written');
select is_empty('select * from public.source_records', 'the reply is not stored');

select tests.let_pass(tests.span('backoff_base_seconds'));
select is((tests.claim_one('worker two')).queue_id, :'row', 'another worker claims the row');
select is((select outcome from public.apply_enrichment(:'late_answer')), 'stale_claim', 'and the late answer still changes nothing');

select * from finish();
rollback;
