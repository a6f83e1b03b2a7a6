-- What nothing is proposed from comes from no provider: a row that only asks for a choice fits a filter by those it shows.
begin;
select plan(3);

select tests.switch_on();
select tests.create_book('The Long Walk', 'Anna Berg') as work \gset
select tests.enrich(:'work', tests.two_long_walks()) as row \gset
update public.enrichment_queue set match_details = match_details - 'proposals' where id = :'row';

select is((select matched from public.dismiss_matching(provider => 'googlebooks')), 0, 'both are of Open Library, so another provider does not fit');
select is((select matched from public.dismiss_matching(provider => 'nobody')), 0, 'nor does one that nobody knows');
select is((select matched from public.dismiss_matching(provider => 'openlibrary')), 1, 'Open Library does');

select * from finish();
rollback;
