-- Same ISBN and title but other people: that is a question as well.
begin;
select plan(2);

select is(enrichment.confidence_of(4, 0, 5), 'low', 'another author');
select is(enrichment.confidence_of(4, null, 5), 'high', 'no author named');

select * from finish();
rollback;
