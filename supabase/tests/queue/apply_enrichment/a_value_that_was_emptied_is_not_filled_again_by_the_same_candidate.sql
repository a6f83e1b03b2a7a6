-- Who empties a field that we filled has said no to that book's value; another book may still fill it.
begin;
select plan(4);

select tests.switch_on();
select tests.create_book() as work \gset
select tests.enrich(:'work', tests.search_reply(first_publish_year => null));
update public.works set default_cover_url = null where id = :'work';
select tests.let_replies_expire();

select tests.enrich(:'work', tests.search_reply(first_publish_year => null)) as again \gset
select is((tests.queue_row(:'again')).confidence, 'medium', 'the same book is found again');
select is((select w.default_cover_url from public.works as w), null, 'and does not fill its cover a second time');
select is((tests.queue_row(:'again')).match_details -> 'proposals', null, 'nor propose it');

select tests.let_replies_expire();
select tests.enrich(:'work', tests.search_reply(first_publish_year => null, work_key => '/works/OL2W', cover_id => 2));
select is((select w.default_cover_url from public.works as w), 'https://covers.openlibrary.org/b/id/2-M.jpg', 'another book does');

select * from finish();
rollback;
