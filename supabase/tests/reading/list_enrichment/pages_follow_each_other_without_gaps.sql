-- The cursor of a page's last row leads to the next page, newest first; rows that come meanwhile do not shift it.
begin;
select plan(3);

insert into public.enrichment_queue (id, work_id, trigger_source)
select ('00000000-0000-7000-8000-00000000000' || n)::uuid, tests.create_book('Book ' || n), 'manual_bulk' from generate_series(1, 5) as n;

select results_eq('select title from public.list_enrichment(page_size => 2)', array['Book 5', 'Book 4'], 'the newest two');
select min(l.cursor) as cursor from public.list_enrichment(page_size => 2) as l \gset
select tests.enqueue(tests.create_book('Book 6'));
select results_eq(format('select title from public.list_enrichment(null, 2, %L)', :'cursor'), array['Book 3', 'Book 2'], 'the two before them');
select results_eq($$ select title from public.list_enrichment('pending', 2, '00000000-0000-7000-8000-000000000002') $$, array['Book 1'], 'the last one');

select * from finish();
rollback;
