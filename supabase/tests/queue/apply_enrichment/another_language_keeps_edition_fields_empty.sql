-- A translation under the same ISBN is a mistake in somebody's data: what it says of the edition is not taken.
begin;
select plan(2);

select tests.switch_on();
select tests.create_book(isbn13 => '9780439023481') as work \gset
update public.editions set language = 'ger' where work_id = :'work';
select tests.enrich(:'work', tests.search_reply(isbn13 => '9780439023481')) as row \gset

select results_eq('select publisher, publish_date from public.editions', 'values (null::varchar, null::date)', 'the edition stays as it is');
select isnt((select w.default_cover_url from public.works as w), null, 'the work is filled');

select * from finish();
rollback;
