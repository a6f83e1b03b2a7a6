-- Text made comparable, and ISBNs made one key. Pure functions without tables, so that each can be tried by hand in the dashboard. The next
-- room takes titles and authors apart with them, the one after that compares the parts. Regular expressions are kept few in all three and
-- among the sources: Postgres keeps 32 compiled, one more made reading a record 2.5 times as slow.

create function enrichment.fold_text(value text)
returns text
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    plain text := lower(fold_text.value);
begin
    -- Most titles are ASCII, and for those normalizing would be most of the work.
    if octet_length(plain) <> length(plain) then
        plain := lower(normalize(regexp_replace(normalize(translate(plain, '´', ''''), nfkd), U&'[\0300-\036F]', '', 'g'), nfkc));
        plain := translate(plain, 'øłđðı‘’ʼ', 'olddi''''''');
        plain := replace(replace(replace(replace(plain, 'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'), 'þ', 'th');
    end if;
    return trim(regexp_replace(replace(replace(translate(plain, '''`', ''), '&', ' and '), '+', ' plus '), '[^[:alnum:]]+', ' ', 'g'));
end
$$;
comment on function enrichment.fold_text(text) is
'Text for comparison: lower case, no accents, & as and, ligatures and wide letters spelled out, every other sign one space. Letters of all scripts stay.';
revoke all on function enrichment.fold_text(text) from public, anon, authenticated, service_role;

create function enrichment.digits_of(words text[])
returns text
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    units constant text[] := '{one,two,three,four,five,six,seven,eight,nine,ten,eleven,twelve,thirteen,fourteen,fifteen,sixteen,seventeen,
        eighteen,nineteen}'::text[];
    tens constant text[] := '{ten,twenty,thirty,forty,fifty,sixty,seventy,eighty,ninety}'::text[];
    ordinals constant text[] := '{first,second,third,fourth,fifth,sixth,seventh,eighth,ninth,tenth,eleventh,twelfth,thirteenth,fourteenth,
        fifteenth,sixteenth,seventeenth,eighteenth,nineteenth,twentieth}'::text[];
    romans constant text[] := '{i,ii,iii,iv,v,vi,vii,viii,ix,x,xi,xii,xiii,xiv,xv,xvi,xvii,xviii,xix,xx}'::text[];
    done text[] := '{}'::text[];
    value integer;  -- of the number being read: nineteen, 1980, 1984
    word text;
    previous text := '';
    part integer;
begin
    foreach word in array digits_of.words loop
        part := coalesce(array_position(units, word), 10 * array_position(tens, word));
        case
            when part < 10 and value % 10 = 0 and value % 100 <> 10 or part >= 10 and value % 100 = 0 then
                value := value + part;
            when part >= 10 and value between 10 and 99 then
                value := 100 * value + part;
            when word in ('hundred', 'thousand') and coalesce(value, 1) < 10000 then
                value := coalesce(value, 1) * case word when 'hundred' then 100 else 1000 end;
            when word = 'and' and value % 100 = 0 then
                null;
            else
                done := done || value::text || case
                    when part is not null then null
                    when word = any(ordinals) then array_position(ordinals, word)
                        || case word when 'first' then 'st' when 'second' then 'nd' when 'third' then 'rd' else 'th' end
                    when word = any(romans) and (length(word) > 1 and previous <> '' or previous = any('{no,vol,volume,book,part,episode}'))
                        then array_position(romans, word)::text
                    else word
                end;
                value := part;
        end case;
        previous := word;
    end loop;
    return array_to_string(done || value::text, ' ');
end
$$;
comment on function enrichment.digits_of(text[]) is
'The words of a folded text joined, its numbers as digits; fold_numbers() asks only where there is one.';
revoke all on function enrichment.digits_of(text[]) from public, anon, authenticated, service_role;

create function enrichment.fold_numbers(folded text)
returns text
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    words text[] := string_to_array(fold_numbers.folded, ' ');
begin
    return case
        when words && '{one,two,three,four,five,six,seven,eight,nine,ten,eleven,twelve,thirteen,fourteen,fifteen,sixteen,seventeen,eighteen,
            nineteen,twenty,thirty,forty,fifty,sixty,seventy,eighty,ninety,hundred,thousand,first,second,third,fourth,fifth,sixth,seventh,
            eighth,ninth,tenth,eleventh,twelfth,thirteenth,fourteenth,fifteenth,sixteenth,seventeenth,eighteenth,nineteenth,twentieth,i,ii,
            iii,iv,v,vi,vii,viii,ix,x,xi,xii,xiii,xiv,xv,xvi,xvii,xviii,xix,xx}'::text[] then enrichment.digits_of(words)
        else fold_numbers.folded
    end;
end
$$;
comment on function enrichment.fold_numbers(text) is
'Number words and Roman numerals of a folded text as digits: "nineteen eighty four" is 1984, "henry iv part i" is henry 4 part 1. A Roman numeral never stands first, and I, V, X alone count only after volume, book, part, episode.';
revoke all on function enrichment.fold_numbers(text) from public, anon, authenticated, service_role;

create function enrichment.bare_title(folded text)
returns text
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    first_word text := split_part(bare_title.folded, ' ', 1);
begin
    return case
        when first_word <> bare_title.folded and first_word = any(
            '{the,a,an,le,la,les,l,un,une,el,los,las,lo,il,gli,una,uno,der,die,das,ein,eine,de,het,een,den,det,os,as,o,um,uma}'::text[]
        ) then substr(bare_title.folded, length(first_word) + 2)
        else bare_title.folded
    end;
end
$$;
comment on function enrichment.bare_title(text) is
'A folded title without its leading article, in nine languages; a title that is only an article keeps it.';
revoke all on function enrichment.bare_title(text) from public, anon, authenticated, service_role;

create function enrichment.title_words(folded text)
returns text[]
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    glossary jsonb := enrichment.title_glossary();
    words text[] := string_to_array(title_words.folded, ' ');
    english text;
begin
    if glossary ?| words then
        select string_agg(coalesce(glossary ->> word, word), ' ' order by place) into english from unnest(words) with ordinality as u (word, place);
        words := string_to_array(enrichment.fold_numbers(english), ' ');
    end if;
    words := array(
        select word collate "C"
        from unnest(words) as word
        where word <> all('{the,a,an,of,on,in,to,and,for,with,by,from,at,de,la,le,les,l,d,du,des,au,aux,en,el,los,las,lo,del,un,une,una,ein,eine,
        y,et,und,der,die,das,den,im,von,zum,zur,il,gli,di,della,dell,delle,dello,do,da,dos,og,и,в}'::text[])
        order by 1
    );
    return case when cardinality(words) = 0 then string_to_array(title_words.folded, ' ') else words end;
end
$$;
comment on function enrichment.title_words(text) is
'The telling words of a folded title, sorted: without articles and prepositions, everyday words of other languages in English.';
revoke all on function enrichment.title_words(text) from public, anon, authenticated, service_role;

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
