-- Books that can gain nothing now stand in front of the others each time; the button goes on behind them, to the last book, a thousand
-- queued a call, and says when nothing is left.
begin;
select plan(6);

select tests.create_reader() as reader \gset
select public.configure_enrichment('{"contact": "library@readers.dev"}');
create temp table books as
select gen_random_uuid() as id, n, n <= 1200 as can_gain from generate_series(1, 2400) as n;
insert into public.works (id, title) select id, 'Book ' || n from books;
insert into public.library_items (user_id, work_id, status, visibility, created_at)
select :'reader', id, 'to_read', 'private', now() + n * interval '1 second' from books;
select enrichment.parse_new_works(10000);
-- The newer half is known to nobody.
insert into public.source_records (provider, entity_type, provider_id, raw)
select 'openlibrary', 'title_lookup', p.lookup_key, '{"no_match": true}'
from books join enrichment.parsed_works as p on p.work_id = books.id where not books.can_gain;

grant select on books to authenticated;
select tests.act_as(:'reader');
create temp table first_call as select * from public.trigger_missing_enrichment();
select is((select count(*) from first_call where outcome = 'enqueued'), 1000::bigint, 'the first call queues a thousand');
select ok((select min(b.n) = 201 from first_call as f join books as b on b.id = f.work_id and f.outcome = 'enqueued'), 'the newest that can gain something');
create temp table second_call as select * from public.trigger_missing_enrichment();
select is((select count(*) from second_call where outcome = 'enqueued'), 200::bigint, 'the second the rest, to the oldest book');
select is((select count(*) from second_call), 1000::bigint, 'no answer is longer than PostgREST lets through');
create temp table third_call as select * from public.trigger_missing_enrichment();
select is_empty($$ select 1 from third_call where outcome <> 'known_miss' $$, 'the third says that nothing is left to queue');
select tests.act_as_owner();
select is((select count(*) from public.enrichment_queue), 1200::bigint, 'and leaves no row behind');

select * from finish();
rollback;
