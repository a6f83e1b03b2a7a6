-- A book without ISBN, or whose ISBN the provider does not know, is looked up by title and author.
begin;
select plan(3);

select tests.switch_on();
select tests.enqueue(tests.create_book('Without ISBN')), tests.enqueue(tests.create_book('Unknown ISBN', isbn13 => '9780439023481'));
select tests.enqueue(tests.create_book('Anonymous', author => null));
select tests.store_lookup('isbn', '9780439023481', null);

create temp table claims as select c.title, c.lookups -> 0 as lookup, c.lookups from public.claim_enrichment('worker one') as c;

select bag_eq(
    $$ select c.lookup ->> 'kind' as kind, c.lookup ->> 'title' as title, c.lookup ->> 'author' as author from claims as c $$,
    $$ values ('title', 'Without ISBN', 'Suzanne Collins'), ('title', 'Unknown ISBN', 'Suzanne Collins'), ('title', 'Anonymous', null) $$,
    'all are looked up by title, with the author where one is known'
);
select is_empty($$ select 1 from claims as c where jsonb_array_length(c.lookups) <> 1 $$, 'one look-up each');
select is((select count(distinct c.lookup ->> 'key') from claims as c), 3::bigint, 'under a key of its own each');

select * from finish();
rollback;
