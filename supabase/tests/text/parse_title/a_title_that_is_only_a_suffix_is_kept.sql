-- A title is never parsed away: where nothing but a series suffix stands, it is the title.
begin;
select plan(2);

select is((enrichment.parse_title('(Book 3)')).main_key, 'book 3', 'a bare suffix');
select is((enrichment.parse_title('???')).main_key, '', 'signs alone fold to nothing');

select * from finish();
rollback;
