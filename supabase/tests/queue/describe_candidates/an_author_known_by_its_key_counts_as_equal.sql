-- The record names its author by a key only, which is that of ours: the sentence and the parts say equal, as the score does.
begin;
select plan(2);

select tests.switch_on();
select tests.create_book() as work \gset
select tests.store_host_records(:'work');
insert into public.external_ids (entity_type, entity_id, provider, provider_id)
select 'author', a.id, 'openlibrary', '/authors/OL1394359A' from public.authors as a;

select is((select e.author_score from public.explain_enrichment(:'work') as e), 3, 'the author is ours');
select results_eq(
    format('select sentence, (parts #> ''{author,score}'')::integer from public.explain_enrichment(%L)', :'work'), $$ values ('title equal, author equal', 3) $$, 'and that is what is said'
);

select * from finish();
rollback;
