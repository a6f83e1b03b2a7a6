-- One equal ISBN in a hundred is another book: under a foreign title it is Low, a question, neither applied nor thrown away. A title that is
-- at least alike makes it Medium where the author agrees as well.
begin;
select plan(5);

select is(enrichment.confidence_of(t.title, 3, 5), 'low', format('title %s', t.title)) from (values (0), (1)) as t (title);
select is(enrichment.confidence_of(2, 2, 5), 'medium', 'title alike, author alike');
select is(enrichment.confidence_of(2, 1, 5), 'low', 'title alike, another first name');
select is(enrichment.confidence_of(2, null, 5), 'low', 'title alike, author not named');

select * from finish();
rollback;
