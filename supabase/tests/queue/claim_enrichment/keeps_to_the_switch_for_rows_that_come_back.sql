-- A row that was under way when auto_enabled was turned off finishes its look-up; what it needs next waits for the switch.
begin;
select plan(2);

select tests.switch_on();
select tests.enqueue(tests.create_book(), 'post_import') as row \gset
select queue_id, claim_token from tests.claim_one() \gset
select count(*) from public.configure_enrichment('{"auto_enabled": false}');
select count(*) from public.release_enrichment(:'queue_id', :'claim_token', 'next_lookup');

select is_empty($$ select public.claim_enrichment('worker two') $$, 'nobody claims it');
select is((tests.queue_row(:'row')).wait_reason, 'auto_disabled', 'and it says why');

select * from finish();
rollback;
