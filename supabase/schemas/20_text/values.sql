-- Single values as files and providers spell them, turned into what our columns hold: years, dates, languages, bindings; null where none.

create function enrichment.year_of(value text)
returns integer
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    return nullif(substring(year_of.value from '(?:^|[^0-9])(1[0-9]{3}|20[0-9]{2})(?:$|[^0-9])'), '')::integer;
end
$$;
comment on function enrichment.year_of(text) is 'The first year from 1000 to 2099 in a date of any form.';

create function enrichment.date_of(value text)
returns date
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    found_year integer := enrichment.year_of(date_of.value);
    iso text[] := regexp_match(date_of.value, '^\s*[0-9]{4}-([0-9]{1,2})(?:-([0-9]{1,2})(?![0-9]))?');
    month_name text := case
        when iso is null then lower(substring(date_of.value from '(?i)\m(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)'))
    end;
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

create function enrichment.format_of(value text)
returns text
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    return case
        when format_of.value ilike any(array['%audio%', '%mp3%', '%cassette%']) then 'audiobook'
        when format_of.value ilike any(array['%ebook%', '%e-book%', '%kindle%', '%epub%', '%pdf%', '%digital%', '%electronic%'])
            then 'ebook'
        when format_of.value ilike any(array['%hard%', '%cloth%', '%library binding%']) then 'hardcover'
        when format_of.value ilike any(array['%paper%', '%soft%', '%mass market%']) then 'paperback'
    end;
end
$$;
comment on function enrichment.format_of(text) is
'audiobook, ebook, hardcover or paperback for what providers and readers write, so that formats can be compared; null where it says none of them.';
