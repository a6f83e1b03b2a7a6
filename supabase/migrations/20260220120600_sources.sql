-- What providers said. Raw replies lie in public.source_records, shared by all readers and with the host; here each is read once
-- into candidates, whose fields already fit our columns. A reader of raw JSON must expect any type anywhere and raise nothing.

create function enrichment.clean_text(value text, max_length integer default null)
returns text
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    is_line boolean := clean_text.max_length <= 512;
    -- First, for without it "<\x01b>" would become a tag.
    cleaned text := regexp_replace(
        left(clean_text.value, 100000), case when is_line then '[\x01-\x1F\x7F-\x9F]+' else '[\x01-\x08\x0B\x0C\x0E-\x1F\x7F-\x9F]' end,
        case when is_line then ' ' else '' end, 'g'
    );
    pieces text[];
    last_end integer;
begin
    if position('<' in cleaned) > 0 then
        cleaned := regexp_replace(cleaned, '<(br|/p|/div|/li)\s*/?>', case when is_line then ' ' else E'\n' end, 'gi');
        -- Cut at the ends first, and tags are looked for up to the last end: 100 KB of open ones took minutes, and a sweep waited for it.
        if cleaned ilike any('{%</script%,%</style%}') then
            pieces := string_to_array(regexp_replace(cleaned, '</(?:script|style)\s*>', E'\x01', 'gi'), E'\x01');
            cleaned := (
                select string_agg(
                    case when place = cardinality(pieces) then piece else regexp_replace(piece, '<(?:script|style)[^<>]*>.*', '', 'i') end,
                    '' order by place
                )
                from unnest(pieces) with ordinality as u (piece, place)
            );
        end if;
        last_end := coalesce(length(substring(cleaned from '^.*>')), 0);
        cleaned := regexp_replace(left(cleaned, last_end), '</?[a-z!?][^>]*>', '', 'gi') || substr(cleaned, last_end + 1);
        -- A tag without an end, or one that was put together by taking out another.
        cleaned := regexp_replace(cleaned, '<(?=[a-z/!?])', '', 'gi');
    end if;
    cleaned := btrim(cleaned, E' \n\r\t');
    if length(cleaned) > clean_text.max_length then
        return null;
    end if;
    return nullif(cleaned, '');
end
$$;
comment on function enrichment.clean_text(text, integer) is
'Text without markup, control characters and outer space, of one line where max_length is 512 or less; null where nothing is left or where it is longer than max_length.';
revoke all on function enrichment.clean_text(text, integer) from public, anon, authenticated, service_role;

create function enrichment.json_list(value jsonb)
returns jsonb
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    return case jsonb_typeof(json_list.value)
        when 'array' then json_list.value when 'null' then '[]' else coalesce(jsonb_build_array(json_list.value), '[]')
    end;
end
$$;
comment on function enrichment.json_list(jsonb) is 'A list as it is, any other value as a list of one, nothing as an empty list.';
revoke all on function enrichment.json_list(jsonb) from public, anon, authenticated, service_role;

create function enrichment.json_text(value jsonb, max_length integer default null)
returns text
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    return case jsonb_typeof(json_text.value)
        when 'string' then enrichment.clean_text(json_text.value #>> '{}', json_text.max_length)
        when 'object' then case when jsonb_typeof(json_text.value -> 'value') = 'string'
            then enrichment.clean_text(json_text.value ->> 'value', json_text.max_length) end
    end;
end
$$;
comment on function enrichment.json_text(jsonb, integer) is 'The text of a string or of {"type", "value"}, cleaned; null for any other shape.';
revoke all on function enrichment.json_text(jsonb, integer) from public, anon, authenticated, service_role;

create function enrichment.json_texts(value jsonb, max_length integer default 255)
returns text[]
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    if json_texts.value is null then
        return null;
    end if;
    return (
        select array_agg(texts.cleaned order by texts.ordinality)
        from (
            select element.ordinality, enrichment.json_text(element.value, json_texts.max_length) as cleaned
            from jsonb_array_elements(enrichment.json_list(json_texts.value)) with ordinality as element
            limit 200
        ) as texts
        where texts.cleaned is not null
    );
end
$$;
comment on function enrichment.json_texts(jsonb, integer) is 'The strings of a list, cleaned, at most 200; null where there is none.';
revoke all on function enrichment.json_texts(jsonb, integer) from public, anon, authenticated, service_role;

create function enrichment.json_integer(value jsonb, least_value integer, greatest_value integer)
returns integer
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    digits text := json_integer.value #>> '{}';
begin
    if length(digits) <= 9 and (jsonb_typeof(json_integer.value) = 'number' or digits ~ '^[0-9]+$')
        and digits::numeric between json_integer.least_value and json_integer.greatest_value and digits::numeric % 1 = 0 then
        return digits::numeric::integer;
    end if;
    return null;
end
$$;
comment on function enrichment.json_integer(jsonb, integer, integer) is 'A whole number, also one written as a string, within the bounds; null otherwise.';
revoke all on function enrichment.json_integer(jsonb, integer, integer) from public, anon, authenticated, service_role;

create function enrichment.year_of(value text)
returns integer
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    return nullif(substring(year_of.value from '(?:^|[^0-9])(1[0-9]{3}|20[0-9]{2})(?:$|[^0-9])'), '')::integer;
end
$$;
comment on function enrichment.year_of(text) is 'The first year from 1000 to 2099 in a date of any form.';
revoke all on function enrichment.year_of(text) from public, anon, authenticated, service_role;

create function enrichment.date_of(value text)
returns date
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    found_year integer := enrichment.year_of(date_of.value);
    iso text[] := regexp_match(date_of.value, '^\s*[0-9]{4}-([0-9]{1,2})(?:-([0-9]{1,2})(?![0-9]))?');
    month_name text := case when iso is null then lower(substring(date_of.value from '(?i)\m(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)')) end;
    found_month integer := coalesce(
        iso[1]::integer,
        array_position(array['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'], month_name), 1
    );
    found_day integer := coalesce(
        iso[2]::integer,
        case when month_name is not null then substring(date_of.value from '(?:^|[^0-9])([0-9]{1,2})(?:$|[^0-9])')::integer end, 1
    );
begin
    if found_year is null or found_month not between 1 and 12 then
        return make_date(found_year, 1, 1);
    end if;
    return make_date(
        found_year, found_month,
        case when found_day between 1 and extract(day from make_date(found_year, found_month, 1) + interval '1 month - 1 day')
            then found_day else 1 end
    );
end
$$;
comment on function enrichment.date_of(text) is
'A publication date from ISO, "June 12, 1997", "12 Jun 1997", "June 1997" or a year alone; what the text leaves open is 1 (the host''s column is a date).';
revoke all on function enrichment.date_of(text) from public, anon, authenticated, service_role;

create function enrichment.language_of(value text)
returns text
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    code text := lower(substring(language_of.value from '^(?:/languages/)?([A-Za-z]{2,3})(?:[-_][A-Za-z0-9]+)*$'));
begin
    return coalesce(
        ('{"en": "eng", "fr": "fre", "de": "ger", "es": "spa", "it": "ita", "nl": "dut", "pt": "por", "ru": "rus", "ja": "jpn", "zh": "chi",
           "sv": "swe", "da": "dan", "no": "nor", "nb": "nor", "fi": "fin", "pl": "pol", "cs": "cze", "el": "gre", "tr": "tur", "ar": "ara",
           "he": "heb", "hu": "hun", "ro": "rum", "ko": "kor", "la": "lat", "uk": "ukr", "ca": "cat",
           "fra": "fre", "deu": "ger", "nld": "dut", "zho": "chi", "ces": "cze", "ell": "gre", "ron": "rum"}'::jsonb) ->> code,
        case when length(code) = 3 then code end
    );
end
$$;
comment on function enrichment.language_of(text) is
'One three-letter MARC code for "/languages/eng", "eng", "en" or "en-GB", so that the providers'' codes can be compared; null where unknown.';
revoke all on function enrichment.language_of(text) from public, anon, authenticated, service_role;

create function enrichment.format_of(value text)
returns text
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    return case
        when format_of.value ilike any(array['%audio%', '%mp3%', '%cassette%']) then 'audiobook'
        when format_of.value ilike any(array['%ebook%', '%e-book%', '%kindle%', '%epub%', '%pdf%', '%digital%', '%electronic%']) then 'ebook'
        when format_of.value ilike any(array['%hard%', '%cloth%', '%library binding%']) then 'hardcover'
        when format_of.value ilike any(array['%paper%', '%soft%', '%mass market%']) then 'paperback'
    end;
end
$$;
comment on function enrichment.format_of(text) is
'audiobook, ebook, hardcover or paperback for what providers and readers write, so that formats can be compared; null where it says none of them.';
revoke all on function enrichment.format_of(text) from public, anon, authenticated, service_role;

create function enrichment.source_url(provider text, work_key text)
returns text
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    return case
        when source_url.provider = 'openlibrary' and source_url.work_key ~ '^/(works|books)/OL[0-9]+[WM]$'
            then 'https://openlibrary.org' || source_url.work_key
        when source_url.provider = 'googlebooks' and source_url.work_key ~ '^[A-Za-z0-9_-]+$'
            then 'https://books.google.com/books?id=' || source_url.work_key
    end;
end
$$;
comment on function enrichment.source_url(text, text) is
'The page where a person can look at a provider''s book: its own key, /works/OL…W or a volume id, as an address; null for a key of no known form.';
revoke all on function enrichment.source_url(text, text) from public, anon, authenticated, service_role;

create function enrichment.json_isbns(value jsonb)
returns text[]
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    if json_isbns.value = '[]' then
        return null;
    end if;
    return (
        select array_agg(distinct key)
        from (select isbn from jsonb_array_elements(json_isbns.value) as isbn limit 200) as first
        cross join lateral enrichment.isbn_key(left(first.isbn #>> '{}', 64)) as key
        where key is not null
    );
end
$$;
comment on function enrichment.json_isbns(jsonb) is 'The distinct 13-digit keys among the first 200 ISBNs of a list; null where there is none.';
revoke all on function enrichment.json_isbns(jsonb) from public, anon, authenticated, service_role;

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
revoke all on function enrichment.openlibrary_cover(jsonb) from public, anon, authenticated, service_role;

create function enrichment.json_key(value jsonb)
returns text
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    return case when jsonb_typeof(json_key.value) = 'string' and json_key.value #>> '{}' ~ '^[!-;=?-~]{1,64}$' then json_key.value #>> '{}' end;
end
$$;
comment on function enrichment.json_key(jsonb) is 'A provider''s own key: a string of at most 64 printable characters; null for any other shape.';
revoke all on function enrichment.json_key(jsonb) from public, anon, authenticated, service_role;

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
revoke all on function enrichment.read_openlibrary_work(jsonb) from public, anon, authenticated, service_role;

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
revoke all on function enrichment.read_openlibrary_edition(jsonb) from public, anon, authenticated, service_role;

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
revoke all on function enrichment.read_openlibrary_search_doc(jsonb) from public, anon, authenticated, service_role;

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
revoke all on function enrichment.googlebooks_cover(text) from public, anon, authenticated, service_role;

create function enrichment.read_googlebooks_volume(volume jsonb)
returns setof enrichment.candidate_fields
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    return query
    select
        volume ->> 'id', volume ->> 'id', enrichment.json_text(info -> 'title', 512), enrichment.json_text(info -> 'subtitle', 512),
        enrichment.json_texts(info -> 'authors'), null::text[],
        enrichment.json_isbns(jsonb_path_query_array(info -> 'industryIdentifiers', 'lax $[*].identifier')),
        enrichment.googlebooks_cover(info #>> '{imageLinks,thumbnail}'), enrichment.json_text(info -> 'description', 20000), null::integer, enrichment.json_text(info -> 'publisher', 255),
        enrichment.date_of(enrichment.json_text(info -> 'publishedDate', 64)),
        enrichment.language_of(enrichment.json_text(info -> 'language', 32)), null::text,
        enrichment.json_integer(info -> 'pageCount', 1, 30000), null::integer
    from (select volume -> 'volumeInfo') as volume_info (info)
    where enrichment.json_key(volume -> 'id') is not null and enrichment.json_text(info -> 'title', 512) is not null;
end
$$;
comment on function enrichment.read_googlebooks_volume(jsonb) is 'Reads a Google Books volume. Its year is the edition''s, so it says nothing of the work''s first year.';
revoke all on function enrichment.read_googlebooks_volume(jsonb) from public, anon, authenticated, service_role;

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
revoke all on function enrichment.read_openlibrary(text, jsonb) from public, anon, authenticated, service_role;

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
revoke all on function enrichment.read_googlebooks(text, jsonb) from public, anon, authenticated, service_role;

create function enrichment.read_record(provider text, entity_type text, raw jsonb)
returns setof enrichment.candidate_fields
language plpgsql stable parallel safe set search_path = ''
as $$
begin
    -- These two directly: to find a function by its name costs 70 µs a record.
    if provider = 'openlibrary' then
        return query select * from enrichment.read_openlibrary(entity_type, raw);
    elsif provider = 'googlebooks' then
        return query select * from enrichment.read_googlebooks(entity_type, raw);
    elsif to_regprocedure(format('enrichment.%I(text, jsonb)', 'read_' || provider)) is not null then
        return query execute format('select * from enrichment.%I($1, $2)', 'read_' || provider) using entity_type, raw;
    end if;
end
$$;
comment on function enrichment.read_record(text, text, jsonb) is
'The candidates in one raw reply, by the reader of its provider, enrichment.read_<provider>(entity_type, raw): the host''s records (work, edition) and our own look-ups (isbn_lookup, title_lookup). Zero rows for a miss or a shape nobody knows.';
revoke all on function enrichment.read_record(text, text, jsonb) from public, anon, authenticated, service_role;

create table enrichment.parsed_records (
    provider text not null,
    entity_type text not null,
    provider_id text not null,
    fetched_at timestamptz not null,
    is_miss boolean not null,
    primary key (provider, entity_type, provider_id)
);
alter table enrichment.parsed_records enable row level security;
revoke all on enrichment.parsed_records from public, anon, authenticated, service_role;
comment on table enrichment.parsed_records is 'Source records already read into candidates, as they were at fetched_at.';

create table enrichment.candidates (
    id bigint primary key generated always as identity,
    provider text not null,
    entity_type text not null,
    provider_id text not null,
    work_key text not null,
    title text not null,
    author_names text[],
    title_parts enrichment.title_parts not null,
    author_parts enrichment.author_parts not null,
    author_ids text[],
    isbns text[],
    work_values jsonb not null,
    edition_values jsonb not null,
    foreign key (provider, entity_type, provider_id) references enrichment.parsed_records on delete cascade
);
create index candidates_by_record on enrichment.candidates (provider, entity_type, provider_id);
alter table enrichment.candidates enable row level security;
revoke all on enrichment.candidates from public, anon, authenticated, service_role;
comment on table enrichment.candidates is 'Books as providers describe them, parsed once per reply; scoring reads these and never raw JSON.';
comment on column enrichment.candidates.work_key is 'The provider''s own key of the work: /works/OL…W, a volume id. Candidates that share it are one book.';
comment on column enrichment.candidates.author_ids is 'The provider''s keys of the authors, without a leading path.';
comment on column enrichment.candidates.isbns is '13-digit keys of the edition described.';
comment on column enrichment.candidates.work_values is 'What it knows of the work: {"work.cover_url": "…"}.';
comment on column enrichment.candidates.edition_values is 'What it knows of that edition: {"edition.publisher": "…"}.';

create table enrichment.parsed_works (
    work_id uuid primary key references public.works (id) on delete cascade,
    title text not null,
    author_names text[] not null,
    title_parts enrichment.title_parts not null,
    author_parts enrichment.author_parts not null,
    title_key text not null,
    lookup_key text not null
);
create index parsed_works_by_title on enrichment.parsed_works (title_key);
alter table enrichment.parsed_works enable row level security;
revoke all on enrichment.parsed_works from public, anon, authenticated, service_role;
comment on table enrichment.parsed_works is 'The library''s own side of every comparison, folded once; refresh_parsed_works() keeps it true.';
comment on column enrichment.parsed_works.title_key is 'The whole title folded: identity of a row that has no ISBN, together with its author.';
comment on column enrichment.parsed_works.lookup_key is 'Key of the title look-up: folded title and first author, within 255 characters.';

create function enrichment.lookup_key(full_key text, author text)
returns text
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    key text := concat_ws(' | ', lookup_key.full_key, enrichment.fold_text(lookup_key.author));
begin
    return case when length(key) <= 200 then key else left(key, 200) || ' #' || md5(key) end;
end
$$;
comment on function enrichment.lookup_key(text, text) is
'Key of a title look-up in source_records.provider_id, from the title''s full_key and an author: "hunger games | suzanne collins".';
revoke all on function enrichment.lookup_key(text, text) from public, anon, authenticated, service_role;

create function enrichment.refresh_parsed_works(work_ids uuid[])
returns void
language sql set search_path = ''
as $$
    with named as (
        select
            w.id, w.title::text as title,
            coalesce(array_agg(a.name::text order by a.name) filter (where a.name is not null), '{}') as author_names
        from public.works as w
        left join public.work_authors as wa on wa.work_id = w.id
        left join public.authors as a on a.id = wa.author_id
        where w.id = any(refresh_parsed_works.work_ids)
        group by w.id, w.title
    ),

    outdated as materialized (
        select named.*, enrichment.parse_title(named.title) as title_parts
        from named
        left join enrichment.parsed_works as p on p.work_id = named.id
        where (p.title, p.author_names) is distinct from (named.title, named.author_names)
        order by named.id
    )

    insert into enrichment.parsed_works (work_id, title, author_names, title_parts, author_parts, title_key, lookup_key)
    select
        id, title, author_names, title_parts, enrichment.parse_authors(author_names),
        enrichment.fold_text(title), enrichment.lookup_key((title_parts).full_key, author_names[1])
    from outdated
    on conflict (work_id) do update
    set title = excluded.title, author_names = excluded.author_names, title_parts = excluded.title_parts,
        author_parts = excluded.author_parts, title_key = excluded.title_key, lookup_key = excluded.lookup_key
$$;
comment on function enrichment.refresh_parsed_works(uuid[]) is
'Folds the titles and authors of those works that are new, or whose title or authors were changed. A host needs no trigger for it.';
revoke all on function enrichment.refresh_parsed_works(uuid[]) from public, anon, authenticated, service_role;

create function enrichment.parse_new_works(most integer default 2000)
returns void
language sql set search_path = ''
as $$
    select enrichment.refresh_parsed_works(array(
        select w.id
        from public.works as w
        left join enrichment.parsed_works as p on p.work_id = w.id
        where p.work_id is null or p.title <> w.title
        order by w.created_at desc
        limit parse_new_works.most
    ))
$$;
comment on function enrichment.parse_new_works(integer) is
'Folds works that were added or renamed behind our back, the newest first, within a reader''s patience (0.3 ms each): an import finds works by their folded title.';
revoke all on function enrichment.parse_new_works(integer) from public, anon, authenticated, service_role;

create view enrichment.valid_records with (security_invoker = true) as
select s.provider, s.entity_type, s.provider_id, s.fetched_at, s.raw ? 'no_match' as is_miss
from enrichment.settings as t
cross join public.source_records as s
-- The first line is for speed: to look into a large reply means to unpack it.
where s.fetched_at > now() - make_interval(days => least(t.record_valid_days, t.miss_valid_days))
    or s.fetched_at > now() - make_interval(days => case when s.raw ? 'no_match' then t.miss_valid_days else t.record_valid_days end);
revoke all on enrichment.valid_records from public, anon, authenticated, service_role;
comment on view enrichment.valid_records is 'Source records that still answer without a call: replies for record_valid_days, misses for miss_valid_days.';

create view enrichment.queue_records with (security_invoker = true) as
select
    path.queue_id, path.is_open, path.scored_at, s.provider::text as provider, s.entity_type::text as entity_type,
    s.provider_id::text as provider_id, s.fetched_at, s.is_miss
from (
    select q.id as queue_id, q.is_open, q.scored_at, x.provider, x.entity_type, x.provider_id
    from public.enrichment_queue as q
    join public.external_ids as x on x.entity_type = 'work' and x.entity_id = q.work_id
    union all
    select q.id, q.is_open, q.scored_at, x.provider, x.entity_type, x.provider_id
    from public.enrichment_queue as q
    join public.external_ids as x on x.entity_type = 'edition' and x.entity_id = q.edition_id
    union all
    select q.id, q.is_open, q.scored_at, p.provider, 'isbn_lookup', isbn
    from public.enrichment_queue as q
    join public.editions as e on e.id = q.edition_id
    cross join lateral enrichment.isbn_key(coalesce(nullif(e.isbn13, ''), e.isbn10)) as isbn
    join enrichment.providers as p on p.fills <> '{}'
    where isbn is not null
    union all
    select q.id, q.is_open, q.scored_at, p.provider, 'title_lookup', w.lookup_key
    from public.enrichment_queue as q
    join enrichment.parsed_works as w on w.work_id = q.work_id
    join enrichment.providers as p on p.fills <> '{}'
) as path
join enrichment.valid_records as s
    on s.provider = path.provider and s.entity_type = path.entity_type and s.provider_id = path.provider_id;
revoke all on enrichment.queue_records from public, anon, authenticated, service_role;
comment on view enrichment.queue_records is
'The still valid source records that speak of a queue row''s work: by external id of the work or its edition, by our look-up of its ISBN or of its title.';

create function enrichment.parse_records(queue_ids uuid[])
returns void
language plpgsql set search_path = ''
as $$
declare
    unread enrichment.parsed_records[];
begin
    with outdated as (
        select distinct r.provider, r.entity_type, r.provider_id, r.fetched_at
        from enrichment.queue_records as r
        left join enrichment.parsed_records as p using (provider, entity_type, provider_id)
        where r.queue_id = any(parse_records.queue_ids) and p.fetched_at is distinct from r.fetched_at
    ),

    marked as (
        insert into enrichment.parsed_records as p (provider, entity_type, provider_id, fetched_at, is_miss)
        select s.provider, s.entity_type, s.provider_id, s.fetched_at, s.raw ? 'no_match'
        from outdated as o
        join public.source_records as s
            on s.provider = o.provider and s.entity_type = o.entity_type and s.provider_id = o.provider_id
        order by s.provider, s.entity_type, s.provider_id
        on conflict (provider, entity_type, provider_id) do update
        set fetched_at = excluded.fetched_at, is_miss = excluded.is_miss
        where p.fetched_at <> excluded.fetched_at
        returning p.*
    )

    select array_agg(row(marked.*)::enrichment.parsed_records) into unread from marked;

    delete from enrichment.candidates as c
    using unnest(unread) as u
    where c.provider = u.provider and c.entity_type = u.entity_type and c.provider_id = u.provider_id;

    insert into enrichment.candidates (
        provider, entity_type, provider_id, work_key, title, author_names, title_parts, author_parts, author_ids, isbns,
        work_values, edition_values
    )
    select
        s.provider, s.entity_type, s.provider_id, f.work_key, f.title, f.author_names, enrichment.parse_title(f.title, f.subtitle),
        enrichment.parse_authors(f.author_names),
        (select array_agg(split_part(author_id, '/', -1)) from unnest(f.author_ids) as author_id), f.isbns,
        jsonb_strip_nulls(jsonb_build_object(
            'work.cover_url', f.cover_url, 'work.description', f.description, 'work.first_publish_year', f.first_publish_year
        )),
        jsonb_strip_nulls(jsonb_build_object(
            'edition.publisher', f.publisher, 'edition.publish_date', f.publish_date, 'edition.language', f.language,
            'edition.format', f.format, 'edition.total_pages', f.total_pages, 'edition.total_audio_minutes', f.total_audio_minutes
        ))
    from unnest(unread) as u
    join public.source_records as s on s.provider = u.provider and s.entity_type = u.entity_type and s.provider_id = u.provider_id
    cross join lateral enrichment.read_record(s.provider, s.entity_type, s.raw) as f
    where not u.is_miss and f.work_key is not null;
end
$$;
comment on function enrichment.parse_records(uuid[]) is
'Reads the records that speak of these queue rows into candidates, where that is not done yet or the record was fetched again.';
revoke all on function enrichment.parse_records(uuid[]) from public, anon, authenticated, service_role;

create function enrichment.empty_fields(work public.works, edition public.editions)
returns text[]
language plpgsql immutable set search_path = ''
as $$
begin
    return array_remove(array[
        case when coalesce(work.default_cover_url, '') = '' then 'work.cover_url' end,
        case when coalesce(work.description, '') = '' then 'work.description' end,
        case when coalesce(work.first_publish_year, 0) = 0 then 'work.first_publish_year' end
    ] || case when edition.id is not null then array[
        case when coalesce(edition.publisher, '') = '' then 'edition.publisher' end,
        case when edition.publish_date is null then 'edition.publish_date' end,
        case when coalesce(edition.isbn10, '') = '' and coalesce(edition.isbn13, '') not like '979%' then 'edition.isbn10' end,
        case when coalesce(edition.isbn13, '') = '' then 'edition.isbn13' end,
        case when coalesce(edition.language, '') = '' then 'edition.language' end,
        case when coalesce(edition.format, '') = '' then 'edition.format' end,
        case when edition.total_pages is null and coalesce(edition.format, '') not ilike '%audio%' then 'edition.total_pages' end,
        case when edition.total_audio_minutes is null and edition.format ilike '%audio%' then 'edition.total_audio_minutes' end
    ] else '{}' end, null);
end
$$;
comment on function enrichment.empty_fields(public.works, public.editions) is
'The fields enrichment may fill that are empty: pages for what is read, minutes for what is heard, an ISBN-10 only where one can exist.';
revoke all on function enrichment.empty_fields(public.works, public.editions) from public, anon, authenticated, service_role;

create table enrichment.field_locks (
    entity_id uuid not null,
    field text not null,
    locked_by uuid,
    locked_at timestamptz not null default now(),
    primary key (entity_id, field)
);
alter table enrichment.field_locks enable row level security;
revoke all on enrichment.field_locks from public, anon, authenticated, service_role;
comment on table enrichment.field_locks is 'Fields of a work or an edition that are never filled.';
comment on column enrichment.field_locks.entity_id is 'The work for work.* fields, the edition for edition.* fields.';

create table enrichment.filled_fields (
    entity_id uuid not null,
    field text not null,
    provider text not null,
    candidate_key text not null,
    filled_at timestamptz not null default now(),
    primary key (entity_id, field, provider, candidate_key)
);
alter table enrichment.filled_fields enable row level security;
revoke all on enrichment.filled_fields from public, anon, authenticated, service_role;
comment on table enrichment.filled_fields is
'Which candidate has filled, or was refused for, which field. A field that is empty although it stands here was emptied or undone by somebody, so the same candidate does not fill it again. Outlives the audit log.';
comment on column enrichment.filled_fields.candidate_key is 'The provider''s work key, or the external id of the imported row.';

create table enrichment.rejected_candidates (
    work_id uuid not null references public.works (id) on delete cascade,
    provider text not null,
    candidate_key text not null,
    is_dismissed boolean not null default true,
    rejected_by uuid,
    rejected_at timestamptz not null default now(),
    primary key (work_id, provider, candidate_key)
);
alter table enrichment.rejected_candidates enable row level security;
revoke all on enrichment.rejected_candidates from public, anon, authenticated, service_role;
comment on table enrichment.rejected_candidates is 'Candidates a reader turned away for a work; they are not proposed for it again.';
comment on column enrichment.rejected_candidates.is_dismissed is 'False: not called wrong, but another that was shown beside it was chosen.';

create function enrichment.missing_fields(work public.works, edition public.editions)
returns text[]
language plpgsql stable set search_path = ''
as $$
declare
    gaps text[] := enrichment.empty_fields(work, edition);
begin
    -- Few books have a lock, and a shelf of thousands is asked about at once: sorting locks out only there is three times as quick.
    if exists (select 1 from enrichment.field_locks as l where l.entity_id in (work.id, edition.id)) then
        gaps := array(
            select gap
            from unnest(gaps) as gap
            where not exists (
                select 1 from enrichment.field_locks as l
                where l.field = gap and l.entity_id = case when gap like 'work.%' then work.id else edition.id end
            )
        );
    end if;
    return gaps;
end
$$;
comment on function enrichment.missing_fields(public.works, public.editions) is 'The empty fields of a book that nobody locked.';
revoke all on function enrichment.missing_fields(public.works, public.editions) from public, anon, authenticated, service_role;

create view enrichment.wanted_fields with (security_invoker = true) as
select q.id as queue_id, gaps.fields
from public.enrichment_queue as q
join public.works as w on w.id = q.work_id
left join public.editions as e on e.id = q.edition_id
cross join lateral (
    select array_agg(gap.field) as fields
    from unnest(enrichment.empty_fields(w, e)) as gap (field)
    where not exists (
        select 1 from enrichment.field_locks as l
        where l.field = gap.field and l.entity_id = case when gap.field like 'work.%' then w.id else e.id end
    )
) as gaps
where gaps.fields is not null;
revoke all on enrichment.wanted_fields from public, anon, authenticated, service_role;
comment on view enrichment.wanted_fields is 'The gaps of each queue row''s work and edition: empty fields that nobody locked. No row where there is none.';

create view enrichment.possible_lookups with (security_invoker = true) as
select distinct on (q.id, p."position")
    q.id as queue_id, p.provider, p."position",
    -- Which edition it is shows by ISBN alone: without one, a look-up can only say something of the work.
    case when isbn is null then array(select field from unnest(p.fills) as field where field like 'work.%') else p.fills end as fills,
    stage.kind, stage.key, w.title, w.author_names[1] as author,
    s.wait_reason, s.available_at,
    t.finish_without_budget and s.is_out_for_today
    and p."position" > (select min(first."position") from enrichment.provider_states as first where first.is_permitted) as is_given_up
from public.enrichment_queue as q
join enrichment.parsed_works as w on w.work_id = q.work_id
left join public.editions as e on e.id = q.edition_id
cross join lateral enrichment.isbn_key(coalesce(nullif(e.isbn13, ''), e.isbn10)) as isbn
cross join enrichment.settings as t
join enrichment.providers as p on p.fills <> '{}'
join enrichment.provider_states as s on s.provider = p.provider and s.is_permitted
left join enrichment.valid_records as by_isbn
    on by_isbn.provider = p.provider and by_isbn.entity_type = 'isbn_lookup' and by_isbn.provider_id = isbn
left join enrichment.valid_records as by_title
    on by_title.provider = p.provider and by_title.entity_type = 'title_lookup' and by_title.provider_id = w.lookup_key
cross join lateral (
    select 1 as rank, 'isbn' as kind, isbn as key
    where isbn is not null and by_isbn.provider is null
    union all
    select 2, 'title', w.lookup_key
    where by_title.provider is null and (isbn is null or by_isbn.is_miss) and w.title_key <> ''
) as stage
where not p.needs_opt_in or exists (
    select 1 from public.users as u
    where coalesce(to_jsonb(u) ->> 'enable_google_books', 'true') = 'true'
        and (u.id = q.triggered_by or (q.triggered_by is null and exists (
            select 1 from public.library_items as i where i.user_id = u.id and i.work_id = q.work_id
        )))
)
order by q.id, p."position", stage.rank;
revoke all on enrichment.possible_lookups from public, anon, authenticated, service_role;
comment on view enrichment.possible_lookups is
'The next look-up each permitted provider could make for a queue row: by ISBN, then by title where there is no ISBN or it is unknown there, and the title has letters. No row where all have a valid answer. is_given_up: a later provider that is out for today, which rows do without unless settings.finish_without_budget is off.';

create view enrichment.needed_lookups with (security_invoker = true) as
select distinct on (l.queue_id)
    l.queue_id, l.provider, l.kind, l.key, l.title, l.author, l.wait_reason, l.available_at
from enrichment.possible_lookups as l
join enrichment.wanted_fields as gaps on gaps.queue_id = l.queue_id and gaps.fields && l.fills
where not l.is_given_up
order by l.queue_id, l."position";
revoke all on enrichment.needed_lookups from public, anon, authenticated, service_role;
comment on view enrichment.needed_lookups is
'The look-up a queue row needs next: the first provider''s that could fill one of its gaps. wait_reason is null where it may be made now.';

-- One row each, but until somebody says so the planner expects hundreds.
analyze enrichment.settings, enrichment.providers;
