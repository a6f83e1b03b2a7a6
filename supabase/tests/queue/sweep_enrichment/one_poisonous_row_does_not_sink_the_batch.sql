-- A row that cannot be written spends its own attempt and says what happened; the others of its batch are completed.
begin;
select plan(5);

select tests.switch_on();
create temp table books as select n, tests.create_book('Book ' || n) as work from generate_series(1, 3) as n;
select count(tests.enqueue(b.work)) from books as b;
select tests.store_lookup('title', 'book ' || b.n || ' | suzanne collins', tests.search_reply('Book ' || b.n, work_key => '/works/OL' || b.n || 'W')) from books as b;
create function pg_temp.refuse() returns trigger language plpgsql as $$ begin raise 'the disk is on fire'; end $$;
create trigger poison before update on public.works for each row when (new.title = 'Book 2') execute function pg_temp.refuse();

create temp table swept as select s.*, w.title from public.sweep_enrichment() as s join public.works as w on w.id = s.work_id;
select results_eq(
    'select title::text, status::text from swept order by title',
    $$ values ('Book 1', 'needs_review'), ('Book 2', 'pending'), ('Book 3', 'needs_review') $$, 'two are resolved, one is not'
);
select is((select s.wait_reason from swept as s where s.title = 'Book 2'), 'backoff', 'it backs off');
select matches((select s.last_error from swept as s where s.title = 'Book 2'), 'the disk is on fire', 'and says why');
select is((select (tests.queue_row(s.queue_id)).attempt_count from swept as s where s.title = 'Book 2'), 1::smallint, 'with one attempt spent');
select is((select count(*) from public.enrichment_audit_log as a where a.action = 'auto_applied'), 2::bigint, 'the others have their audit rows');

select * from finish();
rollback;
