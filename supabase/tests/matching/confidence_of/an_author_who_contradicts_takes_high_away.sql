-- Same ISBN and title under another name is a pen name, an editor, a co-author: good enough for Medium, never for High. Without the ISBN
-- it is a question.
begin;
select plan(4);

select is(enrichment.confidence_of(4, 0, 5), 'medium', 'another author under an equal ISBN');
select is(enrichment.confidence_of(3, 0, 4), 'medium', 'the same with a subtitle missing');
select is(enrichment.confidence_of(4, 0, 0), 'low', 'another author, no ISBN');
select is(enrichment.confidence_of(4, null, 5), 'high', 'no author named');

select * from finish();
rollback;
