-- Each change and decision with its values, source and link; is_mine is true for what the caller did. Nobody's id is told.
begin;
select plan(3);

select tests.create_reader('ada') as ada, tests.create_reader('bob') as bob, tests.create_book(isbn13 => '9780439023481') as work \gset
select tests.add_to_shelf(:'ada', :'work'), tests.add_to_shelf(:'bob', :'work');
select tests.bring_to_review(:'work') as row \gset
update public.enrichment_audit_log set created_at = now() - interval '1 hour';
select tests.act_as(:'ada');
select count(*) from public.approve_enrichment(:'row', '{edition.publisher}');

select results_eq(
    format('select queue_id, action, provider, source_url, fields_changed, sentence, is_mine from public.enrichment_history(%L) limit 1', :'work'),
    format($$ values (
        %L::uuid, 'approved', 'openlibrary', 'https://openlibrary.org/works/OL5735363W', '{"edition.publisher": {"old": null, "new": "Scholastic Press"}}'::jsonb,
        'same ISBN, title equal, author equal', true
    ) $$, :'row'), 'the newest is what Ada approved'
);
select set_eq(format('select action, is_mine from public.enrichment_history(%L) offset 1', :'work'), $$ values ('auto_applied', false), ('queued_review', false) $$, 'what went before was nobody''s');
select tests.act_as(:'bob');
select results_eq(
    format($$ select bool_or(is_mine), bool_or(row_to_json(h)::text like '%%%s%%') from public.enrichment_history(%L) as h $$, :'ada', :'work'), 'values (false, false)',
    'Bob sees what was done, not by whom'
);

select * from finish();
rollback;
