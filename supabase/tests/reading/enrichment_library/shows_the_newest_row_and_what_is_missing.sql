-- Each book of the own shelf, with the state of its newest row, why it waits and until when, and the empty fields that nobody locked.
begin;
select plan(4);

select tests.create_reader('ada') as ada, tests.create_reader('bob') as bob, tests.create_book('Hers') as hers, tests.create_book('His') as his \gset
select tests.add_to_shelf(:'ada', :'hers') as item, tests.add_to_shelf(:'bob', :'his') as other_item \gset
select tests.fill_every_gap(:'hers');
update public.works set description = null, first_publish_year = null, default_cover_url = null where id = :'hers';
select count(*) from public.lock_fields(:'hers', '{work.first_publish_year}');
select tests.act_as(:'ada');
select results_eq(
    'select work_id, library_item_id, edition_id, title, authors, first_publish_year, status::text, queue_id, missing from public.enrichment_library()',
    format(
        $$ values (%L::uuid, %L::uuid, %L::uuid, 'Hers', '{Suzanne Collins}'::text[], null::integer, null::text, null::uuid, '{work.cover_url,work.description}'::text[]) $$,
        :'hers', :'item', tests.edition_of(:'hers')
    ), 'her one book, never queued, with two gaps'
);
select tests.act_as_owner();
select tests.enqueue(:'hers', 'scheduled') as row \gset
select tests.act_as(:'ada');
select results_eq(
    'select status::text, queue_id, wait_reason, next_attempt_after from public.enrichment_library()',
    format($$ values ('pending', %L::uuid, 'auto_disabled', null::timestamptz) $$, :'row'), 'it waits for a switch'
);
select tests.act_as_service();
select throws_ok('select * from public.enrichment_library()', '42501', null, 'the service has no library');
set local role authenticated;
select set_config('request.jwt.claims', '', true);
select throws_ok('select * from public.enrichment_library()', 'PT403', null, 'nobody has none either');

select * from finish();
rollback;
