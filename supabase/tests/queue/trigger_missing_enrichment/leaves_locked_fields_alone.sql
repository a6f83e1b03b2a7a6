-- A field that somebody locked is no gap: a book that lacks nothing else is not looked at again and again.
begin;
select plan(2);

select tests.create_reader() as reader, tests.create_book('Dune') as work \gset
select tests.fill_every_gap(:'work');
update public.works set description = null where id = :'work';
select tests.add_to_shelf(:'reader', :'work');
select tests.act_as(:'reader');
select public.lock_fields(:'work', '{work.description}');
select is_empty('select public.trigger_missing_enrichment()', 'locked: nothing is missing');
select public.unlock_fields(:'work', '{work.description}');
select is((select count(*) from public.trigger_missing_enrichment()), 1::bigint, 'unlocked: it is');

select * from finish();
rollback;
