-- Values as long as their columns are written whole.
begin;
select plan(1);

select tests.switch_on();
select tests.create_book(repeat('t', 512), isbn13 => '9780439023481') as work \gset
select tests.enrich(:'work', tests.search_reply(repeat('t', 512), isbn13 => '9780439023481', publisher => repeat('x', 255), first_publish_year => 2099)) as row \gset

select results_eq(
    'select length(e.publisher), w.first_publish_year::integer from public.editions as e join public.works as w on w.id = e.work_id',
    'values (255, 2099)', 'a publisher of 255 characters, the last year there is'
);

select * from finish();
rollback;
