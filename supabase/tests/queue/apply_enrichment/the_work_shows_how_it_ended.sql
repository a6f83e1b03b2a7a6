-- The three columns on works tell the outcome without a join; a row that is still on its way leaves them alone.
begin;
select plan(4);

select tests.switch_on();
select tests.create_book('Catching Fire') as found, tests.create_book('Unheard of') as missed, tests.create_book('Half Way', isbn13 => '9780439023481') as waiting \gset
select tests.enrich(:'found', tests.search_reply('Catching Fire')), tests.enrich(:'missed', null), tests.enrich(:'waiting', null);

select results_eq(
    'select title::text, enrichment_status::text, enrichment_confidence::text from public.works order by title',
    $$ values ('Catching Fire', 'needs_review', 'medium'), ('Half Way', null, null), ('Unheard of', 'skipped', 'none') $$, 'status and confidence'
);
select is((select w.last_enriched_at from public.works as w where w.id = :'found'), now(), 'when it was found');
select is((select w.last_enriched_at from public.works as w where w.id = :'missed'), now(), 'when it was missed');
select is((select w.last_enriched_at from public.works as w where w.id = :'waiting'), null, 'the waiting one has not ended');

select * from finish();
rollback;
