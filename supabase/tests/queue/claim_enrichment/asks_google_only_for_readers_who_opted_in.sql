-- Google Books is asked for what Open Library left open, and only for a reader who wants that.
begin;
select plan(3);

select tests.switch_on();
select count(*) from public.configure_enrichment('{"provider_keys": ["googlebooks"]}');
select tests.create_reader('ada') as ada, tests.create_reader('bob') as bob \gset
update public.users set enable_google_books = (id = :'ada');
select tests.enqueue(tests.create_book('Hers'), triggered_by => :'ada'), tests.enqueue(tests.create_book('His'), triggered_by => :'bob');

create temp table claims as select c.* from public.claim_enrichment('worker one') as c;
select is_empty($$ select 1 from claims as c where c.lookups @> '[{"provider": "googlebooks"}]' $$, 'Open Library comes first');

select count(*) from claims as c cross join public.release_enrichment(c.queue_id, c.claim_token, 'next_lookup');
select tests.store_lookup('title', c.lookups #>> '{0,key}', null) from claims as c;
delete from claims;
insert into claims select c.* from public.claim_enrichment('worker one') as c;

select is((select c.lookups #>> '{0,provider}' from claims as c where c.title = 'Hers'), 'googlebooks', 'for her Google is asked next');
select is((select c.lookups from claims as c where c.title = 'His'), '[]'::jsonb, 'for him it is not');

select * from finish();
rollback;
