-- Both sides parts and the three scores travel with the sentence; what a side does not have is left out, an unknown author is null.
begin;
select plan(6);

select enrichment.explain_match(
    enrichment.parse_title('The Locksmith (Harrow Lane, #2)'), enrichment.parse_title('The Locksmith'),
    enrichment.parse_authors('{"Lorne, Ada"}'), enrichment.parse_authors('{}'), 4
) -> 'parts' as parts \gset

select is(:'parts'::jsonb #>> '{title,score}', '4', 'the title''s score');
select is(:'parts'::jsonb #>> '{title,ours,series_key}', 'harrow lane', 'our series');
select is(:'parts'::jsonb #>> '{title,ours,series_number}', '2', 'our number');
select is(:'parts'::jsonb #> '{title,theirs}' ? 'series_key', false, 'they name no series');
select is(:'parts'::jsonb #> '{author}', '{"score": null, "ours": ["ada lorne"], "theirs": null}', 'the author''s side');
select is(:'parts'::jsonb #> '{isbn}', '{"score": 4}', 'the ISBN''s score');

select * from finish();
rollback;
