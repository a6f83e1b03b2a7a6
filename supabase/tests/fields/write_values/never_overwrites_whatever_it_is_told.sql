-- The statement that writes looks for itself whether a field is empty: told to write all eleven over a book that has them, it changes none.
begin;
select plan(2);

select tests.create_book(isbn13 => '9780439023481') as work \gset
select tests.enqueue(:'work') as row \gset
select tests.fill_every_gap(:'work');
update public.editions set total_audio_minutes = 600 where work_id = :'work';
create temp table before as select enrichment.current_values(w, e) as known from public.works as w join public.editions as e on e.work_id = w.id;

select enrichment.write_values(array_agg(row(:'row', known.key, t.value, 'openlibrary', '/works/OL1W', '{}', 'high', true, false)::enrichment.offered_value), 'auto_applied', null)
from before as b
cross join lateral jsonb_object_keys(b.known) as known (key)
cross join lateral (select case when known.key ~ 'year|pages|minutes' then '1' when known.key ~ 'date' then '1900-01-01' else 'other' end) as t (value);

select is((select count(*) from before as b, jsonb_each_text(b.known) as v where v.value is not null), 11::bigint, 'a book that has all that enrichment fills');
select results_eq(
    'select enrichment.current_values(w, e) from public.works as w join public.editions as e on e.work_id = w.id', 'select known from before', 'keeps every value'
);

select * from finish();
rollback;
