-- Whoever comes as authenticated but names no reader is nobody, not everybody.
begin;
select plan(3);

select tests.create_book(isbn13 => '9780439023481') as work \gset
select tests.bring_to_review(:'work') as row \gset

set local role authenticated;
select throws_ok('select * from public.list_enrichment()', 'PT403', null, 'no list');
select throws_ok(format('select * from public.enrichment_status(array[%L]::uuid[])', :'work'), 'PT403', null, 'no badge');
select throws_ok(format('select * from public.approve_enrichment(%L)', :'row'), 'PT403', null, 'and no say');

select * from finish();
rollback;
