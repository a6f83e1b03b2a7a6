-- After an undo the work and its edition are what they were before, to the last value, also where empty was written as '' or 0; the rest was never touched.
begin;
select plan(6);

select tests.switch_on();
select tests.create_book(isbn13 => '9780439023481') as work, tests.create_book('Dune', 'Frank Herbert') as other \gset
update public.works set description = '', first_publish_year = 0 where id = :'work';
update public.editions set publisher = '', format = 'hardcover' where work_id = :'work';
create temp view now_there as
select to_jsonb(w) - '{updated_at,enrichment_status,enrichment_confidence,last_enriched_at}'::text[] as work, to_jsonb(e) - 'updated_at' as edition
from public.works as w join public.editions as e on e.work_id = w.id;
create temp table before as select * from now_there;

select tests.bring_to_review(:'work') as row \gset
select isnt_empty('select * from now_there except select * from before', 'something was written');
select results_eq(
    format('select queue_id, status::text, fields_restored, fields_kept, reason from public.undo_enrichment(%L)', :'row'),
    format($$ values (
        %L::uuid, 'completed', '{edition.isbn10,edition.language,edition.publish_date,edition.publisher,work.cover_url,work.first_publish_year}'::text[], '{}'::text[], null
    ) $$, :'row'), 'all six fields are restored'
);
select set_eq('select * from now_there', 'select * from before', 'everything is as it was');
select is((select w.first_publish_year::integer from public.works as w where w.id = :'work'), 0, 'the year is the 0 it was');
select is((select e.publisher from public.editions as e where e.work_id = :'work'), '', 'the publisher the empty text');
select results_eq(
    format('select status::text, undone_at, undone_by from tests.queue_row(%L)', :'row'), $$ values ('completed', now(), null::uuid) $$, 'the row says so'
);

select * from finish();
rollback;
