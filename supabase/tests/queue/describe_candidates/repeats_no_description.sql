-- A description may have 20,000 letters: of two rivals each stands once in the details, the best one's among the proposals.
begin;
select plan(2);

select tests.switch_on();
select tests.create_book('The Long Walk', 'Anna Berg') as work \gset
select tests.enrich(:'work', jsonb_set(jsonb_set(tests.two_long_walks(), '{docs,0,description}', '"Snow."'), '{docs,1,description}', '"Rocks."')) as row \gset

select is(
    (tests.queue_row(:'row')).match_details #>> '{proposals,work.description,value}' || ((tests.queue_row(:'row')).match_details #>> '{candidates,1,values,work.description}'), 'Snow.Rocks.',
    'both can be read'
);
select is((select array_agg(m.word[1] order by m.word[1] desc) from regexp_matches((tests.queue_row(:'row')).match_details::text, '(Snow|Rocks)', 'g') as m (word)), '{Snow,Rocks}', 'once each');

select * from finish();
rollback;
