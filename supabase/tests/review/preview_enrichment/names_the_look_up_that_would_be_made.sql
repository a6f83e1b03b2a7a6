-- A book nobody was asked about yet: nothing can be foretold but the question.
begin;
select plan(2);

select tests.switch_on();
select tests.create_book(isbn13 => '9780439023481') as work \gset

select results_eq(
    format('select status::text, wait_reason, lookups, "values" from public.preview_enrichment(array[%L]::uuid[])', :'work'),
    $$ values ('pending', 'next_lookup', '[{"provider": "openlibrary", "kind": "isbn", "key": "9780439023481", "title": "The Hunger Games", "author": "Suzanne Collins"}]'::jsonb, '{}'::jsonb) $$,
    'its ISBN would be looked up'
);
select count(*) from public.configure_enrichment('{"contact": null}');
select is((select p.wait_reason from public.preview_enrichment(array[:'work']::uuid[]) as p), 'no_contact', 'or what that waits for');

select * from finish();
rollback;
