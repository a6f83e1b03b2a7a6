-- Open Library: its works, editions and search replies read into candidate fields, and the address of its covers.

create function enrichment.openlibrary_cover(cover_ids jsonb)
returns text
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    return (
        select 'https://covers.openlibrary.org/b/id/' || cover_id || '-M.jpg'
        from jsonb_array_elements(enrichment.json_list(openlibrary_cover.cover_ids)) with ordinality as element
        cross join lateral enrichment.json_integer(element.value, 1, 999999999) as cover_id
        where cover_id is not null
        order by element.ordinality
        limit 1
    );
end
$$;
comment on function enrichment.openlibrary_cover(jsonb) is 'URL of the first usable cover id; -1 and null, which mean none, are passed over.';

create function enrichment.read_openlibrary_work(work jsonb)
returns setof enrichment.candidate_fields
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    book enrichment.candidate_fields;
begin
    book.work_key := enrichment.json_key(work -> 'key');
    book.title := enrichment.json_text(work -> 'title', 512);
    if book.title is null or not coalesce(book.work_key like '/works/%', false) then
        return;
    end if;
    book.subtitle := enrichment.json_text(work -> 'subtitle', 512);
    book.author_names := enrichment.json_texts(jsonb_path_query_array(work, 'lax $.authors[*].name'));
    book.author_ids := enrichment.json_texts(
        jsonb_path_query_array(work, 'lax $.authors[*].author.key') || jsonb_path_query_array(work, 'lax $.authors[*].key'), 64
    );
    book.cover_url := enrichment.openlibrary_cover(work -> 'covers');
    book.description := enrichment.json_text(work -> 'description', 20000);
    book.first_publish_year := enrichment.year_of(enrichment.json_text(work -> 'first_publish_date', 64));
    return next book;
end
$$;
comment on function enrichment.read_openlibrary_work(jsonb) is 'Reads a work as /works/OL…W.json gives it. Zero rows for a redirect, a deletion or any other shape.';

create function enrichment.read_openlibrary_edition(edition jsonb)
returns setof enrichment.candidate_fields
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    book enrichment.candidate_fields;
begin
    book.edition_key := enrichment.json_key(edition -> 'key');
    book.title := enrichment.json_text(edition -> 'title', 512);
    if book.title is null or not coalesce(book.edition_key like '/books/%', false) then
        return;
    end if;
    book.work_key := coalesce(enrichment.json_key((enrichment.json_list(edition -> 'works') -> 0) -> 'key'), book.edition_key);
    book.subtitle := enrichment.json_text(edition -> 'subtitle', 512);
    book.author_names := enrichment.json_texts(jsonb_path_query_array(edition, 'lax $.authors[*].name'));
    book.author_ids := enrichment.json_texts(jsonb_path_query_array(edition, 'lax $.authors[*].key'), 64);
    book.isbns := enrichment.json_isbns(
        enrichment.json_list(edition -> 'isbn_13') || enrichment.json_list(edition -> 'isbn_10') || enrichment.json_list(edition -> 'isbn')
    );
    book.cover_url := enrichment.openlibrary_cover(edition -> 'covers');
    book.description := enrichment.json_text(edition -> 'description', 20000);
    book.publisher := enrichment.json_text(enrichment.json_list(edition -> 'publishers') -> 0, 255);
    book.publish_date := enrichment.date_of(enrichment.json_text(edition -> 'publish_date', 64));
    book.language := enrichment.language_of(enrichment.json_key((enrichment.json_list(edition -> 'languages') -> 0) -> 'key'));
    book.format := lower(enrichment.json_text(edition -> 'physical_format', 64));
    book.total_pages := enrichment.json_integer(edition -> 'number_of_pages', 1, 30000);
    return next book;
end
$$;
comment on function enrichment.read_openlibrary_edition(jsonb) is
'Reads an edition as /books/OL…M.json, editions.json or /api/books?jscmd=details gives it. Zero rows for any other shape.';

create function enrichment.read_openlibrary_search_doc(doc jsonb)
returns setof enrichment.candidate_fields
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    edition jsonb := enrichment.json_list(doc #> '{editions,docs}') -> 0;
    book enrichment.candidate_fields;
    described jsonb;
begin
    book.work_key := enrichment.json_key(doc -> 'key');
    if not coalesce(book.work_key like '/works/%', false) then
        return;
    end if;
    book.edition_key := enrichment.json_key(edition -> 'key');
    book.author_names := enrichment.json_texts(doc -> 'author_name');
    book.author_ids := enrichment.json_texts(doc -> 'author_key', 64);
    book.isbns := enrichment.json_isbns(enrichment.json_list(edition -> 'isbn'));
    book.cover_url := coalesce(enrichment.openlibrary_cover(edition -> 'cover_i'), enrichment.openlibrary_cover(doc -> 'cover_i'));
    book.description := enrichment.json_text(enrichment.json_list(doc -> 'description') -> 0, 20000);
    book.first_publish_year := enrichment.json_integer(doc -> 'first_publish_year', 1000, 2099);
    book.publisher := enrichment.json_text(enrichment.json_list(edition -> 'publisher') -> 0, 255);
    book.publish_date := enrichment.date_of(enrichment.json_text(enrichment.json_list(edition -> 'publish_date') -> 0, 64));
    book.language := enrichment.language_of(enrichment.json_text(enrichment.json_list(edition -> 'language') -> 0, 32));
    foreach described in array case
        when (edition -> 'title', edition -> 'subtitle') is distinct from (doc -> 'title', doc -> 'subtitle') then array[doc, edition]
        else array[doc]
    end loop
        book.title := enrichment.json_text(described -> 'title', 512);
        book.subtitle := enrichment.json_text(described -> 'subtitle', 512);
        if book.title is not null then
            return next book;
        end if;
    end loop;
end
$$;
comment on function enrichment.read_openlibrary_search_doc(jsonb) is
'Reads one document of /search.json, a work with the one edition that search shows of it: once under the work''s title, once under the edition''s where that is another, perhaps a translation. Zero rows for any other shape.';

create function enrichment.read_openlibrary(entity_type text, raw jsonb)
returns setof enrichment.candidate_fields
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    if entity_type = 'work' then
        return query select * from enrichment.read_openlibrary_work(raw);
    elsif entity_type = 'edition' then
        return query select * from enrichment.read_openlibrary_edition(raw);
    elsif entity_type in ('isbn_lookup', 'title_lookup') then
        return query select fields.* from jsonb_array_elements(enrichment.json_list(raw -> 'docs')) as doc
            cross join lateral enrichment.read_openlibrary_search_doc(doc) as fields limit 10;
        if raw ? 'edition' then
            return query select * from enrichment.read_openlibrary_edition(raw -> 'edition');
        end if;
    end if;
end
$$;
comment on function enrichment.read_openlibrary(text, jsonb) is 'Reads Open Library''s records and our look-ups there: {"docs": […]} or {"edition": …}.';
