-- Newest book first; the cursor of a page's last book leads to the next page, also among books that came at the same moment. A filter keeps one state, or what is incomplete.
begin;
select plan(6);

select tests.create_reader() as ada \gset
create temp table books as select n, tests.create_book('Book ' || n) as work from generate_series(1, 5) as n;
select tests.fill_every_gap(work) from books where n = 5;
insert into public.library_items (user_id, work_id, status, visibility, created_at)
select :'ada', work, 'to_read', 'private', now() - case when n = 1 then interval '1.000001 hour' else interval '1 hour' end from books;
select tests.enqueue(work) from books where n = 2;
select tests.act_as(:'ada');

create temp table first_page as select * from public.enrichment_library(page_size => 3);
select cursor from first_page order by cursor limit 1 \gset
create temp table second_page as select * from public.enrichment_library(null, 3, :'cursor');
select is((select count(*) from second_page), 2::bigint, 'three books, then two');
select set_eq('select title from first_page union all select title from second_page', $$ select 'Book ' || n from generate_series(1, 5) as n $$, 'each once');
select is((select title from second_page order by cursor limit 1), 'Book 1', 'the oldest last');
select results_eq($$ select title from public.enrichment_library('pending') $$, array['Book 2'], 'one is pending');
select is((select count(*) from public.enrichment_library('missing')), 4::bigint, 'four lack something');
select is_empty(format($$ select * from public.enrichment_library('failed', 3, %L) $$, :'cursor'), 'none has failed');

select * from finish();
rollback;
