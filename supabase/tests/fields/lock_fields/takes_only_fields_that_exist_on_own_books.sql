-- A misspelt field, an edition of another work and somebody else's book are refused, so that no lock looks set and is not.
begin;
select plan(6);

select tests.create_reader('ada') as ada, tests.create_book('Hers') as hers, tests.create_book('His') as his \gset
select tests.add_to_shelf(:'ada', :'hers');
select tests.edition_of(:'his') as his_edition \gset

select tests.act_as(:'ada');
select throws_ok(format($$ select * from public.lock_fields(%L, '{work.title}') $$, :'hers'), 'PT422', null, 'titles are never filled, so not locked');
select throws_ok(format($$ select * from public.lock_fields(%L, '{edition.publisher}') $$, :'hers'), 'PT422', null, 'which edition?');
select throws_ok(format($$ select * from public.lock_fields(%L, '{edition.publisher}', %L) $$, :'hers', :'his_edition'), 'PT422', null, 'not an edition of hers');
select throws_ok(format($$ select * from public.lock_fields(%L, '{work.cover_url}') $$, :'his'), 'PT403', null, 'not her book');
select throws_ok($$ select * from public.lock_fields(gen_random_uuid(), '{work.cover_url}') $$, 'PT404', null, 'no book at all');
select lives_ok(format($$ select * from public.lock_fields(%L, '{work.cover_url}') $$, :'hers'), 'her own she may lock');

select * from finish();
rollback;
