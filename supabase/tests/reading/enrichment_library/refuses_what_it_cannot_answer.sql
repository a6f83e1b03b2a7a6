-- An unknown filter, a page without size or beyond 1,000 books, and a cursor from elsewhere are refused.
begin;
select plan(5);

select tests.create_reader() as ada \gset
select tests.act_as(:'ada');
select throws_ok($$ select * from public.enrichment_library('done') $$, 'PT422', null, 'there is no state done');
select throws_ok('select * from public.enrichment_library(page_size => 0)', 'PT422', null, 'a page of none');
select throws_ok('select * from public.enrichment_library(page_size => 1001)', 'PT422', null, 'a page that PostgREST would cut');
select throws_ok($$ select * from public.enrichment_library(cursor => 'page 2') $$, 'PT422', null, 'a foreign cursor');
select throws_ok($$ select * from public.enrichment_library(cursor => '99999999999999999_00000000-0000-7000-8000-000000000002x') $$, 'PT422', null, 'nor one with a tail');

select * from finish();
rollback;
