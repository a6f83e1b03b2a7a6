-- Neither through a written cover, nor a row, nor a setting.
begin;
select plan(5);

select tests.store_covers();
select tests.create_book('By Google') as work \gset
update public.works set default_cover_url = 'https://books.google.com/books/content?id=abc&zoom=1' where id = :'work';
insert into public.enrichment_audit_log (work_id, action, provider, fields_changed)
values (:'work', 'auto_applied', 'googlebooks', '{"work.cover_url": {"old": null, "new": "https://books.google.com/books/content?id=abc&zoom=1"}}');
select enrichment.queue_covers(array[:'work'::uuid], null);
select is_empty('select 1 from enrichment.cover_queue', 'a cover of theirs is not queued');
select throws_ok(
    format($$ insert into enrichment.cover_queue (work_id, provider, source_url) values (%L, 'openlibrary', 'https://books.google.com/x') $$, :'work'), '23514', null, 'not even by hand'
);
select throws_ok(
    format($$ insert into enrichment.cover_queue (work_id, provider, source_url) values (%L, 'googlebooks', 'https://archive.org/x') $$, :'work'), '23514', null, 'or under another host'
);
select throws_ok($$ select public.configure_enrichment('{"cover_hosts": ["books.google.com"]}') $$, 'PT422', null, 'the list of hosts takes none of theirs');
select throws_ok($$ select public.configure_enrichment('{"cover_hosts": ["lh3.googleusercontent.com", "archive.org"]}') $$, 'PT422', null, 'under any name');

select * from finish();
rollback;
