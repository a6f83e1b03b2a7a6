-- A record that names its author only by key is the same author where our author carries that key.
begin;
select plan(2);

select tests.switch_on();
select tests.create_book() as work \gset
insert into public.external_ids (entity_type, entity_id, provider, provider_id) select 'author', a.id, 'openlibrary', '/authors/OL1394359A' from public.authors as a;
select tests.enrich(:'work', '{"docs": [{"key": "/works/OL5735363W", "title": "The Hunger Games", "author_key": ["OL1394359A"], "cover_i": 7}]}') as row \gset

select is((tests.queue_row(:'row')).confidence, 'medium', 'title and author agree');
select is((select w.default_cover_url from public.works as w), 'https://covers.openlibrary.org/b/id/7-M.jpg', 'so the cover is filled');

select * from finish();
rollback;
