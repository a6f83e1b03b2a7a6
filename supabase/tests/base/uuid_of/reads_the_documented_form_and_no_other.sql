-- An id as the API describes it, in either case; none of the other forms that Postgres takes, and never an error.
begin;
select plan(2);

select is(
    array(
        select enrichment.uuid_of(id)::text
        from unnest('{6f2c1f6e-0a53-4a0e-8a3a-5a8d5a1c9d11,6F2C1F6E-0A53-4A0E-8A3A-5A8D5A1C9D11}'::text[]) as id
    ),
    '{6f2c1f6e-0a53-4a0e-8a3a-5a8d5a1c9d11,6f2c1f6e-0a53-4a0e-8a3a-5a8d5a1c9d11}',
    'upper and lower case'
);
select is_empty(
    $$
    select id from unnest(array[
        '{6f2c1f6e-0a53-4a0e-8a3a-5a8d5a1c9d11}', '6f2c1f6e0a534a0e8a3a5a8d5a1c9d11', 'urn:uuid:6f2c1f6e-0a53-4a0e-8a3a-5a8d5a1c9d11',
        '6f2c1f6e-0a53-4a0e-8a3a-5a8d5a1c9d1', e'6f2c1f6e-0a53-4a0e-8a3a-5a8d5a1c9d11\n', 'page 2', '', null
    ]) as id where enrichment.uuid_of(id) is not null
    $$,
    'braces, no hyphens, a urn, too short, a line end, something else, nothing'
);

select * from finish();
rollback;
