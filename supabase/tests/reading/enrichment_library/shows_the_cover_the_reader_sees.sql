-- The reader's own cover goes before the preferred edition's, that before the work's; an empty one counts for nothing.
begin;
select plan(4);

select tests.create_reader() as ada, tests.create_book() as work \gset
select tests.add_to_shelf(:'ada', :'work') as item \gset
select tests.act_as(:'ada');
select is((select cover_url from public.enrichment_library()), null, 'none');
select tests.act_as_owner();
update public.works set default_cover_url = 'https://example.org/work.jpg';
select tests.act_as(:'ada');
select is((select cover_url from public.enrichment_library()), 'https://example.org/work.jpg', 'the work''s');
select tests.act_as_owner();
update public.editions set cover_url = 'https://example.org/edition.jpg';
update public.library_items set cover_override_url = '';
select tests.act_as(:'ada');
select is((select cover_url from public.enrichment_library()), 'https://example.org/edition.jpg', 'the preferred edition''s');
update public.library_items set cover_override_url = 'https://example.org/mine.jpg';
select is((select cover_url from public.enrichment_library()), 'https://example.org/mine.jpg', 'her own');

select * from finish();
rollback;
