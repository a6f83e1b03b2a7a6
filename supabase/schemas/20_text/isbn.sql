-- ISBNs in one form: ISBN-10, ISBN-13, with or without hyphens, all become one 13-digit key; and the check digits of both kinds.

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
