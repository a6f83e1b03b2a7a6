-- One call is all a review panel needs: the sentence, every value as it is now, and each proposal with its source and a link. A row that was decided proposes nothing.
begin;
select plan(6);

select tests.create_book(isbn13 => '9780439023481') as work \gset
update public.editions set format = 'hardcover' where work_id = :'work';
select tests.bring_to_review(:'work') as row \gset
update public.works set first_publish_year = 1999;

create temp table listed as select * from public.list_enrichment('needs_review');
select is((select sentence from listed), 'same ISBN, title equal, author equal', 'the sentence');
select is((select edition_id from listed), tests.edition_of(:'work'), 'the edition whose fields they are');
select is(
    (select jsonb_build_array(current_values -> 'edition.format', current_values -> 'work.first_publish_year', current_values -> 'edition.publisher') from listed),
    '["hardcover", 1999, null]', 'what stands there now'
);
select is((select proposals -> 'work.first_publish_year' from listed), '{
    "value": "2008", "current": 1999, "provider": "openlibrary", "source_url": "https://openlibrary.org/works/OL5735363W", "confidence": "high",
    "candidate": "openlibrary:/works/OL5735363W"
}', 'a proposal beside the year that came meanwhile');
select is((select count(*) from listed, jsonb_object_keys(listed.proposals)), 5::bigint, 'five proposals');
select count(*) from public.approve_enrichment(:'row');
select is((select proposals from public.list_enrichment('completed')), '{}', 'none once it is decided');

select * from finish();
rollback;
