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
begin
    return query
    select
        work ->> 'key', null::text, enrichment.json_text(work -> 'title', 512), enrichment.json_text(work -> 'subtitle', 512),
        enrichment.json_texts(jsonb_path_query_array(work, 'lax $.authors[*].name')),
        enrichment.json_texts(jsonb_path_query_array(work, 'lax $.authors[*].author.key') || jsonb_path_query_array(work, 'lax $.authors[*].key'), 64),
        null::text[], enrichment.openlibrary_cover(work -> 'covers'), enrichment.json_text(work -> 'description', 20000),
        enrichment.year_of(enrichment.json_text(work -> 'first_publish_date', 64)),
        null::text, null::date, null::text, null::text, null::integer, null::integer
    where enrichment.json_key(work -> 'key') like '/works/%' and enrichment.json_text(work -> 'title', 512) is not null;
end
$$;
comment on function enrichment.read_openlibrary_work(jsonb) is 'Reads a work as /works/OL…W.json gives it. Zero rows for a redirect, a deletion or any other shape.';

create function enrichment.read_openlibrary_edition(edition jsonb)
returns setof enrichment.candidate_fields
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    return query
    select
        coalesce(enrichment.json_key((enrichment.json_list(edition -> 'works') -> 0) -> 'key'), edition ->> 'key'), edition ->> 'key',
        enrichment.json_text(edition -> 'title', 512), enrichment.json_text(edition -> 'subtitle', 512),
        enrichment.json_texts(jsonb_path_query_array(edition, 'lax $.authors[*].name')),
        enrichment.json_texts(jsonb_path_query_array(edition, 'lax $.authors[*].key'), 64),
        enrichment.json_isbns(
            enrichment.json_list(edition -> 'isbn_13') || enrichment.json_list(edition -> 'isbn_10') || enrichment.json_list(edition -> 'isbn')
        ),
        enrichment.openlibrary_cover(edition -> 'covers'), enrichment.json_text(edition -> 'description', 20000), null::integer,
        enrichment.json_text(enrichment.json_list(edition -> 'publishers') -> 0, 255), enrichment.date_of(enrichment.json_text(edition -> 'publish_date', 64)),
        enrichment.language_of(enrichment.json_key((enrichment.json_list(edition -> 'languages') -> 0) -> 'key')),
        lower(enrichment.json_text(edition -> 'physical_format', 64)), enrichment.json_integer(edition -> 'number_of_pages', 1, 30000),
        null::integer
    where enrichment.json_key(edition -> 'key') like '/books/%' and enrichment.json_text(edition -> 'title', 512) is not null;
end
$$;
comment on function enrichment.read_openlibrary_edition(jsonb) is
'Reads an edition as /books/OL…M.json, editions.json or /api/books?jscmd=details gives it. Zero rows for any other shape.';

create function enrichment.read_openlibrary_search_doc(doc jsonb)
returns setof enrichment.candidate_fields
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    return query
    select
        doc ->> 'key', enrichment.json_key(edition.value -> 'key'), enrichment.json_text(described.value -> 'title', 512),
        enrichment.json_text(described.value -> 'subtitle', 512), enrichment.json_texts(doc -> 'author_name'), enrichment.json_texts(doc -> 'author_key', 64),
        enrichment.json_isbns(enrichment.json_list(edition.value -> 'isbn')),
        coalesce(enrichment.openlibrary_cover(edition.value -> 'cover_i'), enrichment.openlibrary_cover(doc -> 'cover_i')),
        enrichment.json_text(enrichment.json_list(doc -> 'description') -> 0, 20000),
        enrichment.json_integer(doc -> 'first_publish_year', 1000, 2099),
        enrichment.json_text(enrichment.json_list(edition.value -> 'publisher') -> 0, 255),
        enrichment.date_of(enrichment.json_text(enrichment.json_list(edition.value -> 'publish_date') -> 0, 64)),
        enrichment.language_of(enrichment.json_text(enrichment.json_list(edition.value -> 'language') -> 0, 32)), null::text, null::integer, null::integer
    from (select enrichment.json_list(doc #> '{editions,docs}') -> 0) as edition (value)
    cross join lateral (
        select doc
        union all
        select edition.value
        where (edition.value -> 'title', edition.value -> 'subtitle') is distinct from (doc -> 'title', doc -> 'subtitle')
    ) as described (value)
    where enrichment.json_key(doc -> 'key') like '/works/%' and enrichment.json_text(described.value -> 'title', 512) is not null;
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
