-- A reader called read_<provider> is all that SQL needs to understand a new provider; a name without one gives nothing.
begin;
select plan(3);

create function enrichment.read_toybooks(entity_type text, raw jsonb)
returns setof enrichment.candidate_fields
language sql
as $$
    select (jsonb_populate_record(null::enrichment.candidate_fields, raw -> 'toy')).* where entity_type = 'title_lookup'
$$;

select results_eq(
    $$ select r.work_key, r.title from enrichment.read_record('toybooks', 'title_lookup', '{"toy": {"work_key": "t1", "title": "A Toy"}}') as r $$,
    $$ values ('t1', 'A Toy') $$, 'its own reader is asked'
);
select is_empty($$ select * from enrichment.read_record('nobooks', 'title_lookup', '{"docs": []}') $$, 'a provider without a reader');
select is_empty($$ select * from enrichment.read_record('x(text, jsonb); drop table y --', 'work', '{}') $$, 'a name that is none');

select * from finish();
rollback;
