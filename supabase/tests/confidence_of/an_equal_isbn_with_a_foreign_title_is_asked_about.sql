-- One equal ISBN in a hundred is another book: under a foreign title it is Low, a question, neither applied nor thrown away.
begin;
select plan(3);

select is(enrichment.confidence_of(t.title, 3, 5), 'low', format('title %s', t.title)) from (values (0), (1), (2)) as t (title);

select * from finish();
rollback;
