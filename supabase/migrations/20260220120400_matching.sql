-- Same book or not. Pure functions without tables, so that each can be tried by hand in the dashboard: fold a text, split a title,
-- take an ISBN as one key, score title 0–4, author 0–3, ISBN 0/4/5, and name the tier. Everything that compares books calls these.
-- Regular expressions are kept few here and among the sources: Postgres keeps 32 compiled, one more made reading a record 2.5 times
-- as slow.

create function enrichment.fold_text(value text)
returns text
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    return trim(regexp_replace(
        replace(replace(replace(replace(
            translate(
                normalize(regexp_replace(normalize(lower(fold_text.value), nfkd), U&'[\0300-\036F''\2018\2019\02BC`]', '', 'g'), nfkc),
                'øłđðı', 'olddi'
            ),
            'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'), '&', ' and '),
        '[^[:alnum:]]+', ' ', 'g'
    ));
end
$$;
comment on function enrichment.fold_text(text) is
'Text for comparison: lower case, no accents, & as and, ligatures spelled out, every other sign one space. Letters of all scripts stay.';
revoke all on function enrichment.fold_text(text) from public, anon, authenticated, service_role;

create function enrichment.fold_title(value text)
returns text
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    folded text := enrichment.fold_text(fold_title.value);
begin
    return case
        when folded like 'the _%' then substr(folded, 5)
        when folded like 'an _%' then substr(folded, 4)
        when folded like 'a _%' then substr(folded, 3)
        else folded
    end;
end
$$;
comment on function enrichment.fold_title(text) is 'fold_text without a leading English article.';
revoke all on function enrichment.fold_title(text) from public, anon, authenticated, service_role;

create function enrichment.parse_title(title text, subtitle text default null)
returns enrichment.title_parts
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    suffixed text[] := case when rtrim(parse_title.title) like any(array['%)', '%]']) then regexp_match(
        parse_title.title, '^(.*?)\s*[\(\[][^\(\)\[\]]*(?:#|\mvol(?:ume|\.)?\s|\mbook\s)\s*([0-9][0-9.–-]*)[^\(\)\[\]]*[\)\]]\s*$', 'i'
    ) end;
    bare_title text := coalesce(nullif(suffixed[1], ''), parse_title.title);
    parts enrichment.title_parts;
begin
    parts.series_number := rtrim(suffixed[2], '.–-');
    parts.full_key := enrichment.fold_title(concat_ws(' ', bare_title, parse_title.subtitle));
    parts.main_key := coalesce(nullif(enrichment.fold_title(split_part(bare_title, ': ', 1)), ''), parts.full_key);
    return parts;
end
$$;
comment on function enrichment.parse_title(text, text) is
'Splits "Mockingjay (The Hunger Games, #3)" into folded title, folded main title (before ": ") and series number; the series'' name is no part of either.';
revoke all on function enrichment.parse_title(text, text) from public, anon, authenticated, service_role;

create function enrichment.parse_authors(names text[])
returns enrichment.author_parts
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    parts enrichment.author_parts := row(null::text[], null::text[], null::text[])::enrichment.author_parts;
begin
    if coalesce(cardinality(parse_authors.names), 0) = 0 then
        return parts;
    end if;
    select array_agg(named.folded), array_agg(last_name || ' ' || left(named.folded, 1)), array_agg(last_name)
    into parts.names, parts.initialled, parts.last_names
    from (
        select distinct enrichment.fold_text(
            case when name like '%_,_%' and name not like '%,%,%' then split_part(name, ',', 2) || ' ' || split_part(name, ',', 1) else name end
        ) as folded
        from unnest(parse_authors.names) as name
    ) as named
    cross join lateral split_part(named.folded, ' ', -1) as last_name
    where named.folded <> '';
    return parts;
end
$$;
comment on function enrichment.parse_authors(text[]) is
'Authors folded for comparison; "Last, First" and "First Last" fold to the same. Null arrays where no author is known.';
revoke all on function enrichment.parse_authors(text[]) from public, anon, authenticated, service_role;

create function enrichment.isbn_key(isbn text)
returns text
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    digits text := translate(upper(split_part(isbn_key.isbn, '(', 1)), E'ISBN:- ="''\t\u00A0\u2010\u2011\u2013', '');
begin
    if digits is null or digits !~ '^(97[89][0-9]{10}|[0-9]{7,9}[0-9X])$' or ltrim(isbn_key.isbn) ilike 'B0%' then
        return null;
    end if;
    if length(digits) = 13 then
        return case when enrichment.isbn13_of(left(digits, 12)) = digits then digits end;
    else
        digits := lpad(digits, 10, '0');
        if enrichment.isbn10_of(left(digits, 9)) = digits then
            return enrichment.isbn13_of('978' || left(digits, 9));
        end if;
    end if;
    return null;
end
$$;
comment on function enrichment.isbn_key(text) is
'An ISBN-10 or -13 in any writing as its 13 digits; leading zeros a spreadsheet lost are restored where the check digit proves it. Null for anything else, an ASIN included.';
revoke all on function enrichment.isbn_key(text) from public, anon, authenticated, service_role;

create function enrichment.isbn13_of(first_twelve text)
returns text
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    d integer[] := string_to_array(isbn13_of.first_twelve, null)::integer[];
begin
    return isbn13_of.first_twelve
        || (10 - (d[1] + d[3] + d[5] + d[7] + d[9] + d[11] + 3 * (d[2] + d[4] + d[6] + d[8] + d[10] + d[12])) % 10) % 10;
end
$$;
comment on function enrichment.isbn13_of(text) is 'Twelve digits with their check digit (ISO 2108).';
revoke all on function enrichment.isbn13_of(text) from public, anon, authenticated, service_role;

create function enrichment.isbn10_of(first_nine text)
returns text
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    d integer[] := string_to_array(isbn10_of.first_nine, null)::integer[];
    check_value integer := (d[1] + 2 * d[2] + 3 * d[3] + 4 * d[4] + 5 * d[5] + 6 * d[6] + 7 * d[7] + 8 * d[8] + 9 * d[9]) % 11;
begin
    return isbn10_of.first_nine || case check_value when 10 then 'X' else check_value::text end;
end
$$;
comment on function enrichment.isbn10_of(text) is 'Nine digits with their check digit or X (ISO 2108).';
revoke all on function enrichment.isbn10_of(text) from public, anon, authenticated, service_role;

create function enrichment.title_score(one enrichment.title_parts, other enrichment.title_parts)
returns integer
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    one_words text[];
    other_words text[];
    shared integer;
begin
    if coalesce(one.main_key, '') = '' or coalesce(other.main_key, '') = '' then
        return 0;
    end if;
    if one.series_number <> other.series_number then
        return case when one.main_key = other.main_key then 1 else 0 end;
    end if;
    if one.full_key = other.full_key then
        return 4;
    end if;
    if one.main_key = other.main_key then
        return case when one.main_key in (one.full_key, other.full_key) then 3 else 2 end;
    end if;

    one_words := string_to_array(one.full_key, ' ');
    other_words := string_to_array(other.full_key, ' ');
    if not one_words && other_words then
        return 0;
    end if;
    select count(*)::integer into shared from (select unnest(one_words) intersect select unnest(other_words)) as common;
    return case
        when shared * 4 >= 3 * greatest(cardinality(one_words), cardinality(other_words)) then 2
        when shared * 2 >= least(cardinality(one_words), cardinality(other_words)) then 1
        else 0
    end;
end
$$;
comment on function enrichment.title_score(enrichment.title_parts, enrichment.title_parts) is
'4: equal. 3: equal but for a subtitle one of them lacks. 2: same main title, other subtitle, or three quarters of the words. 1: half the words of one, or another number of a series. 0: less.';
revoke all on function enrichment.title_score(enrichment.title_parts, enrichment.title_parts)
from public, anon, authenticated, service_role;

create function enrichment.author_score(one enrichment.author_parts, other enrichment.author_parts)
returns integer
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    return case
        when one.names && other.names then 3
        when one.initialled && other.initialled then 2
        when one.last_names && other.last_names then 1
        when one.names is null or other.names is null then null
        else 0
    end;
end
$$;
comment on function enrichment.author_score(enrichment.author_parts, enrichment.author_parts) is
'3: one name equal, in any order. 2: last name and first initial. 1: last name. 0: other people. Null: one side names nobody, which is not a contradiction.';
revoke all on function enrichment.author_score(enrichment.author_parts, enrichment.author_parts)
from public, anon, authenticated, service_role;

create function enrichment.confidence_of(title_score integer, author_score integer, isbn_score integer)
returns enrichment.confidence
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    return case
        when isbn_score >= 4 and title_score >= 3 and author_score is distinct from 0 then 'high'
        when title_score >= 3 and author_score >= 2 then 'medium'
        when title_score >= 2 or isbn_score >= 4 then 'low'
        else 'none'
    end::enrichment.confidence;
end
$$;
comment on function enrichment.confidence_of(integer, integer, integer) is
'High: ISBN ≥ 4 and title ≥ 3, author not contradicting. Medium: title ≥ 3 and author ≥ 2. Low: title ≥ 2, or an equal ISBN under a foreign title. None: less.';
revoke all on function enrichment.confidence_of(integer, integer, integer) from public, anon, authenticated, service_role;

create function enrichment.explain_scores(title_score integer, author_score integer, isbn_score integer)
returns text
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    return concat_ws(', ',
        case when isbn_score >= 4 then 'same ISBN' end,
        (array['title differs', 'title partly alike', 'title alike', 'title equal but for a subtitle', 'title equal'])[title_score + 1],
        coalesce((array['other author', 'author of the same last name', 'author alike', 'author equal'])[author_score + 1], 'author not named')
    );
end
$$;
comment on function enrichment.explain_scores(integer, integer, integer) is 'The score parts as one sentence a reader understands.';
revoke all on function enrichment.explain_scores(integer, integer, integer) from public, anon, authenticated, service_role;

create function enrichment.explain_match(
    one_title enrichment.title_parts, other_title enrichment.title_parts, one_authors enrichment.author_parts,
    other_authors enrichment.author_parts, isbn_score integer
)
returns jsonb
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    title_score integer := enrichment.title_score(one_title, other_title);
    author_score integer := enrichment.author_score(one_authors, other_authors);
begin
    return jsonb_build_object(
        'sentence', enrichment.explain_scores(title_score, author_score, explain_match.isbn_score),
        'parts', jsonb_build_object(
            'title', jsonb_build_object('score', title_score, 'ours', to_jsonb(one_title), 'theirs', to_jsonb(other_title)),
            'author', jsonb_build_object('score', author_score, 'ours', one_authors.names, 'theirs', other_authors.names),
            'isbn', jsonb_build_object('score', explain_match.isbn_score)
        )
    );
end
$$;
comment on function enrichment.explain_match(
    enrichment.title_parts, enrichment.title_parts, enrichment.author_parts, enrichment.author_parts, integer
) is 'Every part of a comparison with its value, and one sentence a reader understands.';
revoke all on function enrichment.explain_match(
    enrichment.title_parts, enrichment.title_parts, enrichment.author_parts, enrichment.author_parts, integer
) from public, anon, authenticated, service_role;

create function enrichment.isbn_score(isbn13 text, isbn10 text, isbns text[])
returns integer
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    return case
        when enrichment.isbn_key(isbn_score.isbn13) = any(isbn_score.isbns) then 5
        when enrichment.isbn_key(isbn_score.isbn10) = any(isbn_score.isbns) then 4
        else 0
    end;
end
$$;
comment on function enrichment.isbn_score(text, text, text[]) is
'5: our ISBN-13 is among the candidate''s 13-digit keys. 4: our ISBN-10 is, as the same key. 0: neither.';
revoke all on function enrichment.isbn_score(text, text, text[]) from public, anon, authenticated, service_role;
