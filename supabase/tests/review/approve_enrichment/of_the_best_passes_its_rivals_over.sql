-- Approved without naming one, the best is the choice: only the ticked field is written, and its rival is not proposed again.
begin;
select plan(3);

select tests.switch_on();
select tests.create_book('The Long Walk', 'Anna Berg') as work \gset
select tests.enrich(:'work', tests.two_long_walks()) as row \gset
select is((select fields_applied from public.approve_enrichment(:'row', '{work.cover_url}')), '{work.cover_url}', 'the cover is applied');
select is((select w.default_cover_url from public.works as w), 'https://covers.openlibrary.org/b/id/1-M.jpg', 'that of the best');
select results_eq(
    'select provider, candidate_key, is_dismissed from enrichment.rejected_candidates', $$ values ('openlibrary', '/works/OL2W', false) $$, 'the rival is passed over, not called wrong'
);

select * from finish();
rollback;
