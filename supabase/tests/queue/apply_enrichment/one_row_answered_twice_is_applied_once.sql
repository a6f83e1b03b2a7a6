-- A call that names a row twice applies the first answer; the second finds its claim spent.
begin;
select plan(2);

select tests.switch_on();
select tests.enqueue(tests.create_book(isbn13 => '9780439023481')) as row \gset
select tests.answer_with(tests.claim_one(), tests.search_reply(isbn13 => '9780439023481')) as answer \gset

select results_eq(
    format($$ select outcome from public.apply_enrichment(%L::jsonb || %L::jsonb) $$, :'answer', :'answer'), array['applied', 'stale_claim'], 'the second is stale'
);
select is((select count(*) from public.enrichment_audit_log), 1::bigint, 'one audit row is written');

select * from finish();
rollback;
