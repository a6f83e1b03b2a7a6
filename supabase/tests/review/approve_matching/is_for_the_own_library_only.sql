-- A reader's filters find rows of the own shelf; another reader's import is refused.
begin;
select plan(5);

select tests.create_reader('ada') as ada, tests.create_reader('bob') as bob \gset
select tests.create_book(isbn13 => '9780439023481') as hers, tests.create_book('Catching Fire', isbn13 => '9780439023498') as his \gset
select tests.add_to_shelf(:'ada', :'hers'), tests.add_to_shelf(:'bob', :'his');
select tests.bring_to_review(:'hers'), tests.bring_to_review(:'his', '9780439023498') as his_row \gset
select count(*) from tests.import(:'bob', tests.csv_row(2, 'Emma', 'Jane Austen'));
select id as import from enrichment.imports \gset

select tests.act_as(:'ada');
select is((select changed from public.approve_matching(is_dry_run => false)), 1, 'Ada approves her one');
select throws_ok(format('select * from public.approve_matching(import_id => %L)', :'import'), 'PT403', null, 'Bob''s import is not hers');
select throws_ok(format('select * from public.approve_matching(import_id => %L)', gen_random_uuid()), 'PT404', null, 'and this is nobody''s');
select tests.act_as_owner();
select is((tests.queue_row(:'his_row')).status, 'needs_review', 'his waits');
select is((select actor from public.enrichment_audit_log where action = 'approved'), :'ada', 'the log says it was she');

select * from finish();
rollback;
