-- ISBNs are reused and mistyped: the same number under another title is a question for a person.
begin;
select plan(4);

select tests.switch_on();
select tests.create_book(isbn13 => '9780439023481') as work \gset
select tests.enrich(:'work', tests.search_reply('Cooking with Gas', 'Suzanne Collins', isbn13 => '9780439023481')) as row \gset

select is((tests.queue_row(:'row')).confidence, 'low', 'it is not sure');
select is((tests.queue_row(:'row')).status, 'needs_review', 'nor thrown away');
select is((select w.default_cover_url from public.works as w), null, 'nothing is written');
select is((tests.queue_row(:'row')).match_details ->> 'sentence', 'same ISBN, title differs, author equal', 'the details say why it is asked');

select * from finish();
rollback;
