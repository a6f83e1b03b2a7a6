-- A title or author corrected after the book was queued is what the provider is asked for.
begin;
select plan(2);

select tests.switch_on();
select tests.create_book('Teh Hugner Games', 'S. Colins') as work \gset
select tests.enqueue(:'work');
update public.works set title = 'The Hunger Games';
update public.authors set name = 'Suzanne Collins';

select title, authors, lookups from tests.claim_one() \gset

select is(:'title'::text, 'The Hunger Games', 'the claim has the title of today');
select is(:'lookups'::jsonb #>> '{0,key}', 'hunger games | suzanne collins', 'and so has the look-up');

select * from finish();
rollback;
