-- An unknown state, a page without size or beyond 1,000 rows, and a cursor from elsewhere are refused.
begin;
select plan(4);

select throws_ok($$ select * from public.list_enrichment('done') $$, 'PT422', null, 'there is no state done');
select throws_ok('select * from public.list_enrichment(page_size => 0)', 'PT422', null, 'a page of none');
select throws_ok('select * from public.list_enrichment(page_size => 1001)', 'PT422', null, 'a page that PostgREST would cut');
select throws_ok($$ select * from public.list_enrichment(cursor => 'page 2') $$, 'PT422', null, 'a foreign cursor');

select * from finish();
rollback;
