-- User names, ports, other schemes and look-alikes are no URLs of ours.
begin;
select plan(1);

select results_eq(
    $$ select url, enrichment.cover_provider(url) from unnest(array[
        'https://covers.openlibrary.org/b/id/1-M.jpg', 'https://ia800100.us.archive.org/x.jpg', 'https://archive.org/download/x.jpg',
        'http://covers.openlibrary.org/b/id/1-M.jpg', 'https://covers.openlibrary.org:8080/x', 'https://a@covers.openlibrary.org/x',
        'https://covers.openlibrary.org.evil.example/x', 'https://evil.example/covers.openlibrary.org/', 'https://us.archive.org/x',
        'https://evil.example#.us.archive.org/x', 'https://evilus.archive.org/x', '', null
    ]) as url $$,
    $$ values ('https://covers.openlibrary.org/b/id/1-M.jpg', 'openlibrary'), ('https://ia800100.us.archive.org/x.jpg', 'openlibrary'),
        ('https://archive.org/download/x.jpg', 'openlibrary'), ('http://covers.openlibrary.org/b/id/1-M.jpg', null),
        ('https://covers.openlibrary.org:8080/x', null), ('https://a@covers.openlibrary.org/x', null),
        ('https://covers.openlibrary.org.evil.example/x', null), ('https://evil.example/covers.openlibrary.org/', null), ('https://us.archive.org/x', null),
        ('https://evil.example#.us.archive.org/x', null), ('https://evilus.archive.org/x', null), ('', null), (null, null) $$,
    'three have a provider'
);

select * from finish();
rollback;
