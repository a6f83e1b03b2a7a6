-- Two transactions that stand in each other's way are no fault of a row: it comes again in a moment, with its attempt.
begin;
select plan(2);

select tests.switch_on();
create temp table books as select tests.create_book('Book') as work;
select tests.enqueue(b.work) as row_id from books as b \gset
select tests.store_lookup('title', 'book | suzanne collins', tests.search_reply('Book', work_key => '/works/OL1W'));
create function pg_temp.stand_in_the_way() returns trigger language plpgsql as $$
begin
    raise 'deadlock detected' using errcode = '40P01';
end
$$;
create trigger poison before update on public.works for each row execute function pg_temp.stand_in_the_way();

select results_eq(
    'select s.status::text, s.wait_reason, s.last_error from public.sweep_enrichment() as s',
    $$ values ('pending', 'backoff', '40P01: deadlock detected') $$, 'it waits, and says why'
);
select is((tests.queue_row(:'row_id')).attempt_count, 0::smallint, 'no attempt is spent');

select * from finish();
rollback;
