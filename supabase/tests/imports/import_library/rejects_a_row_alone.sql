-- A row that cannot be taken is rejected with its reason; the rows beside it are imported.
begin;
select plan(3);

select tests.create_reader() as reader \gset

select results_eq(
    format(
        $$ select i.outcome, i.reason from tests.import(%L,
            tests.csv_row(2, more => '{"problem": "the line has 7 columns instead of 24"}'), tests.csv_row(3, more => '{"title": " "}'),
            tests.csv_row(4, repeat('x', 513)), tests.csv_row(5, '???'), tests.csv_row(6, more => '{"status": "borrowed"}'),
            '"a text" ', tests.csv_row(8, 'Mockingjay')
        ) as i $$, :'reader'
    ),
    $$ values
    ('rejected', 'the line has 7 columns instead of 24'), ('rejected', 'the title is missing'), ('rejected', 'the title has 513 characters, more than 512'),
    ('rejected', 'the title has no letters'), ('rejected', 'status is none of to_read, reading, completed, abandoned'),
    ('created', null), ('rejected', 'the row is not a JSON object') $$,
    'every row has its answer; one without a row number comes last'
);
select results_eq($$ select w.title::text from public.works as w $$, array['Mockingjay'], 'only the good one becomes a work');
select is((select count(*) from public.enrichment_queue), 1::bigint, 'and is queued');

select * from finish();
rollback;
