-- Google Books: its volumes read into candidate fields, and its covers in the size and over the protocol we want.

create function enrichment.googlebooks_cover(link text)
returns text
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    path text := substring(
        googlebooks_cover.link from '^https?(://books\.google\.(?:com|[a-z]{2}|com?\.[a-z]{2})/[a-zA-Z0-9/?&=%_.,:;~+-]+)$'
    );
begin
    if length(path) > 1000 then
        return null;
    end if;
    -- What Google serves as zoom 0, 2, 3, 4 and 6 is a placeholder for most books, 5 is smaller.
    return 'https' || regexp_replace(replace(replace(path, '&edge=curl', ''), '?edge=curl&', '?'), '([?&]zoom=)[0-9]+', '\11', 'g');
end
$$;
comment on function enrichment.googlebooks_cover(text) is
'A thumbnail link over https, at zoom 1 and without the curled page; null for one that does not lead to Google''s own book servers.';

create function enrichment.read_googlebooks_volume(volume jsonb)
returns setof enrichment.candidate_fields
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    info jsonb := volume -> 'volumeInfo';
    book enrichment.candidate_fields;
begin
    book.work_key := enrichment.json_key(volume -> 'id');
    book.title := enrichment.json_text(info -> 'title', 512);
    if book.work_key is null or book.title is null then
        return;
    end if;
    book.edition_key := book.work_key;
    book.subtitle := enrichment.json_text(info -> 'subtitle', 512);
    book.author_names := enrichment.json_texts(info -> 'authors');
    book.isbns := enrichment.json_isbns(jsonb_path_query_array(info -> 'industryIdentifiers', 'lax $[*].identifier'));
    book.cover_url := enrichment.googlebooks_cover(info #>> '{imageLinks,thumbnail}');
    book.description := enrichment.json_text(info -> 'description', 20000);
    book.publisher := enrichment.json_text(info -> 'publisher', 255);
    book.publish_date := enrichment.date_of(enrichment.json_text(info -> 'publishedDate', 64));
    book.language := enrichment.language_of(enrichment.json_text(info -> 'language', 32));
    book.total_pages := enrichment.json_integer(info -> 'pageCount', 1, 30000);
    return next book;
end
$$;
comment on function enrichment.read_googlebooks_volume(jsonb) is 'Reads a Google Books volume. Its year is the edition''s, so it says nothing of the work''s first year.';

create function enrichment.read_googlebooks(entity_type text, raw jsonb)
returns setof enrichment.candidate_fields
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    if entity_type in ('work', 'edition') then
        return query select * from enrichment.read_googlebooks_volume(raw);
    elsif entity_type in ('isbn_lookup', 'title_lookup') then
        return query select fields.* from jsonb_array_elements(enrichment.json_list(raw -> 'items')) as item
            cross join lateral enrichment.read_googlebooks_volume(item) as fields limit 10;
    end if;
end
$$;
comment on function enrichment.read_googlebooks(text, jsonb) is 'Reads Google Books volumes and our look-ups there: {"items": […]}.';
