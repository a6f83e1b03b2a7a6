-- Both kinds of ISBN, lost zeros and repetitions come out as distinct 13-digit keys; what is no ISBN is left out.
begin;
select plan(1);

select is(
    (select r.isbns from enrichment.read_record('openlibrary', 'edition', '{
        "key": "/books/OL3M", "title": "The Glass Orchard", "isbn_10": ["439023483", "0439023483", "nonsense", null, 5],
        "isbn_13": ["978-0-439-02348-1", "9780439023482"], "isbn": "9791032702284"
    }') as r),
    '{9780439023481,9791032702284}', 'two books'' numbers are left'
);

select * from finish();
rollback;
