-- Covers that are to be stored need a public bucket and room in their budget; hot-linked ones need nothing.
begin;
select plan(5);

delete from storage.buckets where id = 'covers';
select matches(tests.health('covers'), '^ok: covers are shown from where they are', 'hot-linked covers need no bucket');
select tests.store_covers();
select matches(tests.health('covers'), '^fail: .*there is no bucket covers', 'stored ones do');
insert into storage.buckets (id, name, public) values ('covers', 'covers', false);
select matches(tests.health('covers'), '^warn: the bucket covers is not public', 'one that readers may look into');
update storage.buckets set public = true where id = 'covers';
select matches(tests.health('covers'), '^ok: stored covers: 0, 0 bytes of', 'there it is');
update enrichment.cover_storage set images = 10, bytes = (select s.cover_budget_bytes from enrichment.settings as s);
select matches(tests.health('covers'), '^warn: stored covers: 10', 'and it is full');

select * from finish();
rollback;
