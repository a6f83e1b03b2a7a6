-- Two readers of one work: the line of what was filled can be undone by the one who asked for it, and by the other once that one has
-- approved something; after the undo by nobody.
begin;
select plan(5);

select tests.create_reader('ada') as ada, tests.create_reader('bob') as bob, tests.create_book(isbn13 => '9780439023481') as work \gset
select tests.add_to_shelf(:'ada', :'work'), tests.add_to_shelf(:'bob', :'work');
select tests.bring_to_review(:'work') as row \gset
update public.enrichment_queue set triggered_by = :'ada' where id = :'row';
prepare lines as select action, is_mine, is_undoable from public.enrichment_history((select id from public.works));

select tests.act_as(:'ada');
select set_eq('lines', $$ values ('auto_applied', false, true), ('queued_review', false, false) $$, 'Ada asked for it');
select tests.act_as(:'bob');
select set_eq('lines', $$ values ('auto_applied', false, false), ('queued_review', false, false) $$, 'Bob did not');
select count(*) from public.approve_enrichment(:'row', '{edition.publisher}');
select set_eq(
    'lines', $$ values ('approved', true, true), ('auto_applied', false, true), ('queued_review', false, false) $$,
    'now he may take back the row, which is both lines'
);
select tests.act_as(:'ada');
select set_eq(
    'lines', $$ values ('approved', false, true), ('auto_applied', false, true), ('queued_review', false, false) $$,
    'and so may she, though it was not she who approved'
);
select count(*) from public.undo_enrichment(:'row');
select set_eq(
    'lines', $$ values ('undone', true, false), ('approved', false, false), ('auto_applied', false, false), ('queued_review', false, false) $$, 'once'
);

select * from finish();
rollback;
