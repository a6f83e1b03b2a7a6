-- A chunk whose reply was lost may be sent again: the same answer, nothing twice.
begin;
select plan(3);

select tests.create_reader() as reader, gen_random_uuid() as this_import \gset
create temp table answers (sending integer, answer enrichment.import_outcome);

insert into answers
select sending, i
from generate_series(1, 2) as sending
cross join lateral public.import_library(
    :'reader', 'goodreads', jsonb_build_array(tests.csv_row(2), tests.csv_row(3, 'Mockingjay'), tests.csv_row(4, ' ')), :'this_import'
) as i;

select results_eq(
    $$ select a.answer from answers as a where a.sending = 2 $$,
    $$ select a.answer from answers as a where a.sending = 1 $$, 'both answers are the same'
);
select bag_eq(
    $$ select (a.answer).outcome from answers as a where a.sending = 1 $$, array['created', 'created', 'rejected'], 'of three rows'
);
select results_eq(
    $$ select
        (select count(*) from public.works), (select count(*) from public.library_items), (select count(*) from public.enrichment_queue) $$,
    $$ values (2::bigint, 2::bigint, 2::bigint) $$, 'nothing is there twice'
);

select * from finish();
rollback;
