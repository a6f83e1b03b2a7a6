-- A reader who chose the wrong one of two books takes it back and asks again: the other one, which was only passed over, may be chosen now.
begin;
select plan(4);

select tests.switch_on();
select tests.create_reader() as ada, tests.create_book('The Long Walk', 'Anna Berg') as work \gset
select tests.add_to_shelf(:'ada', :'work');
select tests.enrich(:'work', tests.two_long_walks()) as row \gset
select tests.act_as(:'ada');
select count(*) from public.approve_enrichment(:'row', null, 'openlibrary:/works/OL2W');
select is((select fields_restored from public.undo_enrichment(:'row')), '{work.cover_url,work.first_publish_year}', 'she takes it back');
select is((select outcome from public.trigger_enrichment(array[:'work']::uuid[])), 'enqueued', 'and asks again at once');
select tests.act_as_owner();
select count(*) from public.sweep_enrichment();
select tests.act_as(:'ada');
select queue_id as again from public.enrichment_status(array[:'work']::uuid[]) \gset
select is((select status::text from public.approve_enrichment(:'again', null, 'openlibrary:/works/OL1W')), 'completed', 'the other one is there');
select is((select default_cover_url from public.works), 'https://covers.openlibrary.org/b/id/1-M.jpg', 'and fills the book');

select * from finish();
rollback;
