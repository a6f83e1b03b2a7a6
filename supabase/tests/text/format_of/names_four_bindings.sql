-- What readers and providers write, as one word each; what says nothing of the binding is null.
begin;
select plan(1);

select results_eq(
    $$ select written, enrichment.format_of(written) from unnest(array[
        'Hardcover', 'hardback', 'Cloth', 'Mass Market Paperback', 'paperback', 'Kindle Edition', 'eBook', 'Audio CD', 'Audible Audio', 'MP3 CD', 'Board book', ''
    ]) as written $$,
    $$ values
    ('Hardcover', 'hardcover'), ('hardback', 'hardcover'), ('Cloth', 'hardcover'), ('Mass Market Paperback', 'paperback'), ('paperback', 'paperback'),
    ('Kindle Edition', 'ebook'), ('eBook', 'ebook'), ('Audio CD', 'audiobook'), ('Audible Audio', 'audiobook'), ('MP3 CD', 'audiobook'), ('Board book', null), ('', null) $$,
    'twelve writings'
);

select * from finish();
rollback;
