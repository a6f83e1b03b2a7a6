-- Called with nothing it changes nothing and says of every setting what it means.
begin;
select plan(3);

select s as before from enrichment.settings as s \gset

select cmp_ok((select count(*) from public.configure_enrichment()), '>=', 17::bigint, 'every setting has a line');
select is_empty(
    $$ select c.name from public.configure_enrichment() as c where coalesce(c.description, '') = '' $$,
    'every setting has a description'
);
select is((select s::text from enrichment.settings as s), :'before', 'nothing is changed');

select * from finish();
rollback;
