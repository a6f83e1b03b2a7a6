-- Covers that wait to be stored when they are taken back leave the line; one that a worker has in hand changes nothing when it comes.
begin;
select plan(5);

select tests.store_covers();
select tests.create_book(isbn13 => '9780439023481') as waiting \gset
select tests.bring_to_review(:'waiting') as row \gset
select is((select count(*) from enrichment.cover_queue), 1::bigint, 'a cover waits');
select count(*) from public.undo_enrichment(:'row');
select is_empty('select 1 from enrichment.cover_queue', 'and waits no more');

select tests.create_book('Catching Fire', isbn13 => '9780439023498') as claimed \gset
select tests.bring_to_review(:'claimed', '9780439023498') as second \gset
create temp table held as select tests.claim_cover() as claim;
select count(*) from public.undo_enrichment(:'second');
select is(
    (select o.outcome from held, public.apply_covers(jsonb_build_array(tests.stored(held.claim))) as o), 'url_changed', 'the worker''s copy comes too late'
);
select is((select default_cover_url from public.works where id = :'claimed'), null, 'the work stays without');
select is_empty('select 1 from enrichment.cover_queue where is_open', 'and nothing is in line');

select * from finish();
rollback;
