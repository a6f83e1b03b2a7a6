-- A host's import leaves preferred_edition_id empty. What the shelf says is missing is what the button finds, edition fields included.
begin;
select plan(3);

select tests.create_reader() as reader, tests.create_book('Dune', isbn13 => '9780441013593') as work \gset
select tests.fill_every_gap(:'work');
update public.editions set publisher = null where work_id = :'work';
insert into public.library_items (user_id, work_id, status, visibility) values (:'reader', :'work', 'to_read', 'private');

select tests.act_as(:'reader');
select is((select missing from public.enrichment_library()), '{edition.publisher}', 'the shelf says what is missing');
select results_eq('select work_id, outcome from public.trigger_missing_enrichment()', format($$ values (%L::uuid, 'enqueued') $$, :'work'), 'the button finds it');
select tests.act_as_owner();
select ok((select edition_id is not null from public.enrichment_queue), 'for that edition');

select * from finish();
rollback;
