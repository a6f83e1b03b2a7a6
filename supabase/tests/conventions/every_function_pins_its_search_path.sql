-- A function that looks names up in the caller's path can be fooled: each of ours has an empty one.
begin;
select plan(1);

select is_empty(
    $$ select p.oid::regprocedure
    from pg_proc as p
    where p.pronamespace in ('public'::regnamespace, 'enrichment'::regnamespace) and p.prokind <> 'a'
        and not coalesce(p.proconfig @> array['search_path=""'], false) $$,
    'no function is without search_path = '''''
);

select * from finish();
rollback;
