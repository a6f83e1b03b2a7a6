-- The reader's copy is an audiobook, the record under its ISBN a paperback: what it says of the edition is not taken. Two words for one binding agree.
begin;
select plan(3);

select tests.switch_on();
select tests.create_book(isbn13 => '9780439023481') as work \gset
update public.editions set format = 'audiobook' where work_id = :'work';
select tests.store_host_records(:'work');
update public.source_records set raw = raw || '{"physical_format": "Mass Market Paperback"}' where entity_type = 'edition';
select tests.enqueue(:'work');
select count(*) from public.sweep_enrichment();
select results_eq('select publisher, publish_date from public.editions', 'values (null::varchar, null::date)', 'the edition stays as it is');
select isnt((select w.default_cover_url from public.works as w), null, 'the work is filled');

select tests.create_book(isbn13 => '9780439023498') as bound \gset
update public.editions set format = 'Paperback' where work_id = :'bound';
select tests.store_host_records(:'bound', '99', '9780439023498');
update public.source_records set raw = raw || '{"physical_format": "Mass Market Paperback"}' where provider_id = '/books/OL99M';
select tests.enqueue(:'bound');
select count(*) from public.sweep_enrichment();
select is((select e.publisher from public.editions as e where e.work_id = :'bound'), 'Scholastic Press', 'a paperback is a paperback');

select * from finish();
rollback;
