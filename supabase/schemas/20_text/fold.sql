-- The ground under all comparison: text without case, accents and punctuation, numbers in one spelling, and text from outside made fit
-- for our columns. Pure functions without tables, to be tried by hand.

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
