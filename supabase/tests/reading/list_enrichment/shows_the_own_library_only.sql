-- The queue page holds the rows of the own shelf, whoever asked for them; the service role sees all.
begin;
select plan(3);

select tests.create_reader('ada') as ada, tests.create_reader('bob') as bob, tests.create_book('Hers') as hers, tests.create_book('His') as his \gset
select tests.add_to_shelf(:'ada', :'hers'), tests.add_to_shelf(:'bob', :'his');
select tests.enqueue(:'hers') as her_row, tests.enqueue(:'his', triggered_by => :'ada') as his_row \gset

select tests.act_as(:'ada');
select results_eq('select queue_id, title, authors from public.list_enrichment()', format($$ values (%L::uuid, 'Hers', '{Suzanne Collins}'::text[]) $$, :'her_row'), 'Ada sees hers');
select is_empty($$ select * from public.list_enrichment('completed') $$, 'and none in another state');
select tests.act_as_service();
select set_eq('select queue_id from public.list_enrichment()', array[:'her_row', :'his_row']::uuid[], 'the service sees both');

select * from finish();
rollback;
