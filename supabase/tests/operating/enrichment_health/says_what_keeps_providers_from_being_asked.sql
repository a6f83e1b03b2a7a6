-- A missing contact, a key that is refused, a key that somebody would need.
begin;
select plan(7);

select matches(tests.health('contact'), '^fail: nobody is named', 'without a contact Open Library is not asked');
select is(tests.health('provider openlibrary'), null, 'which is told once');
select public.configure_enrichment('{"contact": "you@example.org"}');
select matches(tests.health('contact'), '^warn: you@example.org is an example', 'an example is not an address');
select is(tests.health('provider openlibrary'), 'ok: may be asked', 'though Open Library is asked');

select matches(tests.health('provider googlebooks'), '^ok: no key, and nobody wants it', 'a key nobody needs is not missed');
select tests.create_reader() as ada \gset
update public.users set enable_google_books = true where id = :'ada';
select matches(tests.health('provider googlebooks'), '^warn: no key, though readers opted in: 1', 'one that a reader needs is');

select public.configure_enrichment('{"provider_keys": ["googlebooks"]}');
select public.report_provider_calls('googlebooks', failed => 1, last_error => '400 API key not valid', reason => 'bad_key');
select matches(tests.health('provider googlebooks'), '^fail: not asked \(bad_key\), until .*, last error: 400 API key not valid', 'one that is refused is to be mended');

select * from finish();
rollback;
