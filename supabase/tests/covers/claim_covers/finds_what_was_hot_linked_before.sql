-- Switching the mode on looks through the works that are there, a thousand a claim; Googles covers and foreign hosts are left.
begin;
select plan(4);

insert into public.works (title, default_cover_url)
select 'Work ' || n, case n % 4
    when 0 then 'https://covers.openlibrary.org/b/id/' || n || '-M.jpg' when 1 then 'https://books.google.com/books/content?id=' || n
    when 2 then 'https://example.org/' || n || '.jpg'
end
from generate_series(1, 1600) as n;
select tests.store_covers();

select is((select wait_reason from public.enrichment_covers()), 'backfill', 'it says what it is at');
select count(*) from public.claim_covers('worker one', 100) \gset first_
select cmp_ok((select count(*) from enrichment.cover_queue), '<', 400::bigint, 'not all at once');
select public.claim_covers('worker ' || n, 100) from generate_series(1, 5) as n;
select results_eq(
    'select count(*), count(*) filter (where source_url like $$https://covers.openlibrary.org/%$$) from enrichment.cover_queue', 'values (400::bigint, 400::bigint)',
    'after a few claims each storable cover has its row'
);
select is((select b.next_work_id from enrichment.cover_backfill as b), null, 'and the search is over');

select * from finish();
rollback;
