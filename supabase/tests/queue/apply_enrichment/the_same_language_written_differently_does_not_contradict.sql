-- A host writes languages in its own way: en, en-GB and /languages/eng are all eng.
begin;
select plan(4);

select tests.switch_on();
create temp table books as
select t.language, tests.create_book(isbn13 => '9780439023481') as work from unnest('{en,en-GB,/languages/eng,eng}'::text[]) as t (language);
update public.editions as e set language = b.language from books as b where b.work = e.work_id;
select tests.store_lookup('isbn', '9780439023481', tests.search_reply(isbn13 => '9780439023481'));
select count(tests.enqueue(b.work)), (select count(*) from public.sweep_enrichment()) from books as b;

select is(e.publisher, 'Scholastic Press', e.language) from public.editions as e;

select * from finish();
rollback;
