-- The host may rename and drop what it likes; what that breaks is said before an import or the worker fails.
begin;
select plan(3);

select is(tests.health('library'), 'ok: every column we read or write is there', 'all is there');
alter table public.works rename column title to name;
alter table public.editions drop column language;
select is(tests.health('library'), 'fail: not there any more: editions.language, works.title', 'one is renamed, one is gone');
alter table public.external_ids rename to other_ids;
select matches(tests.health('library'), 'editions.language, external_ids.entity_id, external_ids.entity_type', 'a whole table is gone');

select * from finish();
rollback;
