-- A person reviewing a match reads which part failed; the veto is named beside it.
begin;
select plan(18);

create temp table explained as
select
    t.ours, t.sentence, t.veto,
    enrichment.explain_match(
        enrichment.parse_title(t.ours), enrichment.parse_title(t.theirs),
        enrichment.parse_authors(array[t.our_author]), enrichment.parse_authors(array[t.their_author]), t.isbn
    ) as match
from (
    values
   
    ('The Locksmith (Harrow Lane, #2)', 'The Locksmith', 'Ada Lorne', 'Ada Lorne', 5, 'same ISBN, title equal without the series name, author equal', null),
    ('The Locksmith', 'The Locksmith: A Life in Keys', 'Ada Lorne', 'A. Lorne', 0, 'title equal but for a subtitle, author alike', null),
    ('Harrow Lane (Harrow Lane, #3)', 'Harrow Lane (Harrow Lane, #2)', 'Ada Lorne', 'Ada Lorne', 0, 'another volume of the series: 2, not 3, author equal', 'volume'),
    ('Harrow Lane', 'Harrow Lane, Vol. 2', 'Ada Lorne', 'Ada Lorne', 0, 'title alike, but only one side says which volume it is: 2, author equal', 'volume'),
    ('The Locksmith', 'The Locksmith: Study Guide', 'Ada Lorne', 'Tom Birk', 0, 'a study guide, not the book itself, other author', 'derivative'),
    ('The Locksmith: The Screenplay', 'The Locksmith', 'Ada Lorne', 'Ada Lorne', 0, 'the book itself, not the screenplay, author equal', 'derivative'),
    ('The Locksmith', 'The Locksmith: Three Complete Novels', 'Ada Lorne', 'Ada Lorne', 0, 'an omnibus, not the single book, author equal', 'omnibus'),
    ('Duke Otto the Great II', 'Duke Otto the Great III', 'Ada Lorne', 'Ada Lorne', 0, 'another number in the title: 3, not 2, author equal', 'number'),
    ('The Locksmith', 'Weirs', 'Ada Lorne', 'Tom Birk', 5, 'same ISBN, title differs, other author', null)
) as t (ours, theirs, our_author, their_author, isbn, sentence, veto);

select is(e.match ->> 'sentence', e.sentence, e.ours) from explained as e;
select is(e.match #>> '{parts,title,veto}', e.veto, e.ours) from explained as e;

select * from finish();
rollback;
