-- Whatever is wrong with one element, the others are applied.
begin;
select plan(5);

select tests.create_hot_linked('Book ' || n, n) from generate_series(1, 2) as n;
select tests.store_covers();
create temp table claimed as select c, row_number() over () as n from public.claim_covers('worker one') as c;

select results_eq(
    $$ select "position", outcome, message from public.apply_covers((
        select jsonb_build_array(
            1, '{}'::jsonb, tests.stored(c, 'a', 9000, '{"sha256": "x"}'), tests.stored(c, 'a', 9000, '{"storage_path": "../../etc/passwd"}'),
            tests.stored(c, 'a', 9000, '{"cover_url": "https://evil.example/a.webp"}'), tests.stored(c, 'a', 99999999), tests.stored(c, 'a', 9000, '{"width": 1}'),
            tests.stored(c, 'a', 9000, '{"bytes": 1e400}'), tests.stored(c)
        ) from claimed where n = 1
    )) $$,
    format($$ values (0, 'rejected', 'the element is not a JSON object'), (1, 'rejected', 'cover_id is not a uuid'), (2, 'rejected', 'sha256 has not 64 hexadecimal digits'),
        (3, 'rejected', 'storage_path is not openlibrary/<32 digits of sha256>.webp'), (4, 'rejected', 'cover_url is not the public URL of storage_path'),
        (5, 'rejected', 'bytes is not between 1 and %1$s (cover_image_bytes)'), (6, 'rejected', 'width or height is not between 2 and 4,000'),
        (7, 'rejected', 'bytes is not between 1 and %1$s (cover_image_bytes)'), (8, 'applied', null) $$, tests.setting('cover_image_bytes')),
    'each is told what is wrong'
);
select throws_ok($$ select public.apply_covers('{}') $$, 'PT422', 'results is not a JSON array');
select throws_ok($$ select public.apply_covers((select jsonb_agg(n) from generate_series(1, 1001) as n)) $$, 'PT422', 'a list of 1001 elements is too long');

-- A host's own trigger that refuses one work must not take the others along.
create function pg_temp.refuse() returns trigger language plpgsql as $$ begin raise exception 'not this one'; end $$;
create temp table others as select c from (select tests.create_hot_linked('Guarded', 7)) as made (id), lateral (select 1 from enrichment.queue_covers(array[made.id], null)) as queued, public.claim_covers('worker one', 1) as c;
create trigger guard before update on public.works for each row when (old.title = 'Guarded') execute function pg_temp.refuse();
select results_eq(
    $$ select outcome, status::text, message from public.apply_covers((select jsonb_build_array((select tests.stored(c, 'b') from others), (select tests.stored(c, 'c') from claimed where n = 2)))) $$,
    $$ values ('failed', 'pending', 'P0001: not this one'), ('applied', 'completed', null) $$, 'nor does one that raises'
);
select results_eq('select images from enrichment.cover_storage', array[2::bigint], 'what failed is not counted');

select * from finish();
rollback;
