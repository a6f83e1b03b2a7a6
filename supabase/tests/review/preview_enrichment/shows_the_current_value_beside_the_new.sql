-- An empty text and a missing one are both gaps; the preview says which it was, who would fill it, and whether without asking.
begin;
select plan(1);

select tests.switch_on();
select count(*) from public.configure_enrichment('{"auto_apply_metadata": false}');
select tests.create_book(isbn13 => '9780439023481') as work \gset
update public.works set default_cover_url = '' where id = :'work';
select tests.store_lookup('isbn', '9780439023481', tests.search_reply(isbn13 => '9780439023481'));

select results_eq(
    format('select "values" -> ''work.cover_url'', "values" -> ''work.first_publish_year'' from public.preview_enrichment(array[%L]::uuid[])', :'work'),
    $$ values (
        '{"value": "https://covers.openlibrary.org/b/id/12646537-M.jpg", "provider": "openlibrary", "candidate": "openlibrary:/works/OL5735363W",
          "confidence": "high", "current": "", "is_applied": true}'::jsonb,
        '{"value": "2008", "provider": "openlibrary", "candidate": "openlibrary:/works/OL5735363W", "confidence": "high", "current": null, "is_applied": false}'::jsonb
    ) $$, 'the cover would be written, the year proposed'
);

select * from finish();
rollback;
