-- The look-up of a book with an ISBN is by its thirteen digits.
begin;
select plan(1);

select tests.switch_on();
select tests.enqueue(tests.create_book(isbn13 => '9780439023481'));

select is(
    (tests.claim_one()).lookups,
    '[{"provider": "openlibrary", "kind": "isbn", "key": "9780439023481", "title": "The Hunger Games", "author": "Suzanne Collins"}]'::jsonb,
    'one look-up by ISBN'
);

select * from finish();
rollback;
