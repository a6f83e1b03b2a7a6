-- One book: titles equal but for a subtitle, an author in common; years speak only where the authors leave it open.
begin;
select plan(1);

select results_eq(
    $$ select enrichment.is_same_book(
        enrichment.parse_title(one_title), enrichment.parse_title(other_title), enrichment.parse_authors(array_remove(array[one_author], null)),
        enrichment.parse_authors(array_remove(array[other_author], null)), one_year, other_year
    )
    from (values
        (1, 'Dune', 'Dune', 'Frank Herbert', 'Herbert, Frank', 1965, 2003), (2, 'Dune', 'Dune: A Story', 'Frank Herbert', 'Frank Herbert', null, null),
        (3, 'Dune: One', 'Dune: Another', 'Frank Herbert', 'Frank Herbert', 1965, 1965), (4, 'Dune', 'Dune', 'Frank Herbert', 'Ada Smith', 1965, 1965),
        (5, 'Dune', 'Dune', 'Frank Herbert', null, 1965, 1966), (6, 'Dune', 'Dune', 'Frank Herbert', null, 1965, 2003), (7, 'Dune', 'Dune', null, null, null, 2003)
    ) as v (place, one_title, other_title, one_author, other_author, one_year, other_year) order by place $$,
    'values (true), (true), (false), (false), (true), (false), (true)', 'seven pairs'
);

select * from finish();
rollback;
