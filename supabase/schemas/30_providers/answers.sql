-- Reading what providers sent: JSON of any shape becomes clean values, never an error. Each provider's own parser is in a file of its
-- name; read_record picks it by that name. A value that does not fit its column is cleaned or dropped.

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

create function enrichment.json_key(value jsonb)
returns text
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    return case
        when jsonb_typeof(json_key.value) = 'string' and json_key.value #>> '{}' ~ '^[!-;=?-~]{1,64}$' then json_key.value #>> '{}'
    end;
end
$$;
comment on function enrichment.json_key(jsonb) is 'A provider''s own key: a string of at most 64 printable characters; null for any other shape.';

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
'The candidates in one raw reply, by the parser of its provider, enrichment.read_<provider>(entity_type, raw): the host''s records (work, edition) and our own look-ups (isbn_lookup, title_lookup). Zero rows for a miss or a shape nobody knows.';
