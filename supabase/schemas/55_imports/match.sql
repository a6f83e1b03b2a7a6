-- Which work and edition each line means: by external id, by ISBN, by title and author.

create function enrichment.match_import_rows(import_id uuid)
returns void
language plpgsql set search_path = ''
as $$
begin
    update enrichment.import_rows as r
    set work_id = coalesce(
        (
            select x.entity_id
            from public.external_ids as x
            join public.works as w on w.id = x.entity_id
            where x.entity_type = 'work' and x.provider_id = r.external_id
                and x.provider = split_part(r.external_id, ':', 1) || '_manual'
        ),
        (
            select e.work_id
            from public.editions as e
            where e.isbn13 = r.isbn or e.isbn10 = enrichment.isbn10_of(substr(r.isbn, 4, 9))
            order by e.created_at, e.id limit 1
        ),
        (
            select p.work_id
            from enrichment.parsed_works as p
            where p.title_key = enrichment.fold_text(r.title) and (
                (p.author_parts).names && (enrichment.parse_authors(r.authors)).names
                or (r.authors is null and p.author_names = '{}')
            )
            order by p.work_id limit 1
        )
    )
    where r.import_id = match_import_rows.import_id and r.outcome is null;

    loop
        update enrichment.import_rows as r
        set first_row_of_book = led.first_row
        from (
            select b.row_number, least(
                min(b.first_row_of_book) over (partition by b.first_row_of_book),
                min(b.first_row_of_book) over (partition by coalesce(b.external_id, b.row_number::text)),
                min(b.first_row_of_book) over (partition by coalesce(b.isbn, b.row_number::text)),
                min(b.first_row_of_book) over (partition by enrichment.fold_text(b.title), enrichment.fold_text(b.authors[1]))
            ) as first_row
            from enrichment.import_rows as b
            where b.import_id = match_import_rows.import_id and b.outcome is null and b.work_id is null
        ) as led
        where r.import_id = match_import_rows.import_id and r.row_number = led.row_number and r.first_row_of_book > led.first_row;
        exit when not found;
    end loop;
end
$$;
comment on function enrichment.match_import_rows(uuid) is
'Finds the work of each row: by the external id as the host writes it, by ISBN, by folded title and author. Rows that are the same new book are tied to the first of them.';
