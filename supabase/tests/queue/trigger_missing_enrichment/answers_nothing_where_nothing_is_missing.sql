-- A reader whose books lack nothing gets an empty answer, and other people's books are not gone through for it.
begin;
select plan(3);

select tests.create_reader() as reader, tests.create_book('Complete') as complete, tests.create_book('Not on the shelf') \gset
select tests.fill_every_gap(:'complete');
select tests.add_to_shelf(:'reader', :'complete');

select tests.act_as(:'reader');
select is_empty($$ select public.trigger_missing_enrichment() $$, 'no line');
select tests.act_as_owner();
select is_empty($$ select 1 from public.enrichment_queue $$, 'no row');
select is_empty($$ select 1 from enrichment.parsed_works $$, 'no book was looked at');

select * from finish();
rollback;
