-- Is it the same book? Title 0–4, author 0–3, ISBN 0, 4 or 5, and what they amount to. All are pure functions of parsed parts
-- (20_text), without tables, to be tried by hand: select enrichment.title_score(enrichment.parse_title('…'), enrichment.parse_title('…')).

create function enrichment.title_veto(one enrichment.title_parts, other enrichment.title_parts)
returns text
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    return case
        when (one.derivative is null) <> (other.derivative is null) then 'derivative'
        when (one.omnibus is null) <> (other.omnibus is null) and one.full_key <> other.full_key then 'omnibus'
        when one.series_number <> other.series_number and (
            one.series_key is null or other.series_key is null
            or strpos(one.series_key, other.series_key) > 0 or strpos(other.series_key, one.series_key) > 0
            or one.series_number like '%-%' or other.series_number like '%-%'
        ) then 'volume'
        when one.volume <> coalesce(other.volume, other.series_number) then 'volume'
        when other.volume <> coalesce(one.volume, one.series_number) then 'volume'
        when not string_to_array(one.series_key, ' ') && string_to_array(other.series_key, ' ')
            -- Printed alike, "I Am Number Four" is not the fourth of "I Am" because one side names the series it is in.
            and (one.full_key <> other.full_key or one.core_key not in (one.series_key, other.series_key)) then 'series'
        when one.core_key <> other.core_key and not (one.numbers <@ other.numbers or other.numbers <@ one.numbers) then 'number'
        -- Volumes 1 to 3 of what bears the series' name are the whole, which needs no number.
        when one.core_key = other.core_key and (
            one.volume like '%-%' and one.series_key = one.core_key or other.volume like '%-%' and other.series_key = other.core_key
        ) then null
        when other.core_key = one.core_key || ' ' || one.volume or one.core_key = other.core_key || ' ' || other.volume then null
        when one.volume is not null and other.series_number is null then 'unstated'
        when other.volume is not null and one.series_number is null then 'unstated'
    end;
end
$$;
comment on function enrichment.title_veto(enrichment.title_parts, enrichment.title_parts) is
'Why two titles that look alike are not the same book: one is a derivative work or an omnibus, or they name other volumes, series or numbers, or only one says which volume it is (unstated; "Death Note 1" says it as well). Null where nothing speaks against it.';

create function enrichment.title_likeness(one enrichment.title_parts, other enrichment.title_parts)
returns integer
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    longer integer := greatest(cardinality(one.words), cardinality(other.words));
    shorter integer := least(cardinality(one.words), cardinality(other.words));
    shared integer := 0;
begin
    if one.words && other.words then
        select count(*)::integer into shared from (select unnest(one.words) intersect all select unnest(other.words)) as common;
    end if;
    return case
        when one.main_key = other.main_key and shared >= 4 and shared * 4 >= shorter * 3
            and (one.numbers is not distinct from other.numbers) then 3
        when one.main_key = other.main_key or one.forms && other.forms then 2
        when shared * 4 >= longer * 3 or shared = shorter and shorter >= 3 then 2
        when shared > 0 and shared * 2 >= shorter then 1
        else 0
    end;
end
$$;
comment on function enrichment.title_likeness(enrichment.title_parts, enrichment.title_parts) is
'How alike two titles are that are not equal. 3: same main title, and three quarters of the shorter subtitle too. 2: same main title, or three quarters of the words, or all three and more words of one. 1: half the words of one.';

create function enrichment.title_score(one enrichment.title_parts, other enrichment.title_parts)
returns integer
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    score integer;
    veto text;
begin
    if coalesce(one.core_key, '') = '' or coalesce(other.core_key, '') = '' then
        return 0;
    end if;
    score := case
        when one.core_key = other.core_key or one.full_key = other.full_key then 4
        -- "The Hunger Games" is the series as well: a longer title behind it may be another book of it.
        when one.core_key = any(other.forms) or other.core_key = any(one.forms) then
            case
                when one.core_key = one.series_key and other.subtitle_key <> '' then 2
                when other.core_key = other.series_key and one.subtitle_key <> '' then 2
                else 3
            end
        when one.known_as = other.known_as or one.known_as = any(other.forms) or other.known_as = any(one.forms) then 3
        -- "Death Note, Vol. 1" may be printed with the name of the volume.
        when one.volume is not null and starts_with(other.full_key, one.full_key || ' ') then 3
        when other.volume is not null and starts_with(one.full_key, other.full_key || ' ') then 3
        when one.words = other.words or replace(one.core_key, ' ', '') = replace(other.core_key, ' ', '') then 3
        when one.main_key = other.main_key and (one.words <@ other.words or other.words <@ one.words) then 3
        when not one.words && other.words then 0
        else enrichment.title_likeness(one, other)
    end;
    if score < 2 then
        return score;
    end if;
    veto := enrichment.title_veto(one, other);
    return case when veto is null then score when veto = 'unstated' then 2 else 1 end;
end
$$;
comment on function enrichment.title_score(enrichment.title_parts, enrichment.title_parts) is
'4: equal. 3: equal but for what one of them does not print (subtitle, series'' name, franchise, name of a volume), how it spells it, or under which title it is known. 2: same main title under another subtitle, most of the words, or only one says which volume it is. 1: half the words of one, or a veto. 0: less.';

create function enrichment.author_score(one enrichment.author_parts, other enrichment.author_parts)
returns integer
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    return case
        when one.names && other.names or one.spellings && other.spellings then 3
        when one.initialled && other.initialled then 2
        when one.single_names && other.first_names or one.single_names && other.last_names
            or other.single_names && one.first_names or other.single_names && one.last_names then 2
        when one.last_names && other.last_names then 1
        when one.names is null or other.names is null then null
        when one.names <@ '{anonymous,unknown,various}'::text[] or other.names <@ '{anonymous,unknown,various}'::text[] then null
        else 0
    end;
end
$$;
comment on function enrichment.author_score(enrichment.author_parts, enrichment.author_parts) is
'3: one name equal, in any order. 2: last name and first initial, one known pen name, or a single name that is part of the other. 1: last name. 0: other people. Null: one side names nobody, or only Anonymous, which is not a contradiction.';

create function enrichment.isbn_score(isbn13 text, isbn10 text, isbns text[])
returns integer
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    return case
        when isbn_score.isbns is null then 0
        when enrichment.isbn_key(isbn_score.isbn13) = any(isbn_score.isbns) then 5
        when enrichment.isbn_key(isbn_score.isbn10) = any(isbn_score.isbns) then 4
        else 0
    end;
end
$$;
comment on function enrichment.isbn_score(text, text, text[]) is
'5: our ISBN-13 is among the candidate''s 13-digit keys. 4: our ISBN-10 is, as the same key. 0: neither.';

create function enrichment.confidence_of(title_score integer, author_score integer, isbn_score integer)
returns enrichment.confidence
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    return case
        when isbn_score >= 4 and title_score >= 3 and author_score is distinct from 0 then 'high'
        when title_score >= 3 and (author_score >= 2 or isbn_score >= 4) then 'medium'
        when title_score = 2 and author_score >= 2 and isbn_score >= 4 then 'medium'
        when title_score >= 2 or isbn_score >= 4 then 'low'
        else 'none'
    end::enrichment.confidence;
end
$$;
comment on function enrichment.confidence_of(integer, integer, integer) is
'High: ISBN ≥ 4 and title ≥ 3, author not contradicting. Medium: two of the three agree, title ≥ 3 with author ≥ 2 or an equal ISBN, or title 2 with both. Low: title ≥ 2, or an equal ISBN under a foreign title. None: less.';
