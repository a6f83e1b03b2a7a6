-- Authors taken apart: a list into names, a name into the keys under which it may be printed. parse_authors is what others call.

create type enrichment.author_parts as (
    names text [],        -- whole names
    initialled text [],   -- last name and first initial, in the ways they may be written
    last_names text [],
    spellings text [],    -- names without spaces, and with their words sorted
    first_names text [],
    single_names text []  -- names of one word: Voltaire
);
comment on type enrichment.author_parts is 'Authors folded for comparison by parse_authors(); null where none is known.';

create function enrichment.split_authors(list text)
returns text[]
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    piece text;
    names text[];
    people text[] := '{}'::text[];
begin
    if (split_authors.list like any(
        '{%;%,%&%,%/%,%|%,%\,%,%(%,%[%,% and %,% und %,% et %,% y %,% with %,% by %,%...%,%Jr%,%Sr%,%.D%,%PhD%,% II%,%Esq%}'
    )) is not true then
        return array[split_authors.list];
    end if;
    foreach piece in array regexp_split_to_array(
        regexp_replace(
            split_authors.list,
            '\[?(?:and|et) (?:others?|al|more|[0-9]+ more)\M.*|\.\.\..*|,? *(?:Jr|Sr|Ph\.? ?D|M\.? ?D|Esq|I{2,3})\M\.?'
            '|,? *\m[0-9]{4}-?(?:[0-9]{4})?', '', 'g'
        ),
        ' *; *| *[&/|] *| *\[?\m(?:and|und|et|y|with)\]? +'
    ) loop
        continue when ltrim(piece, ' [(') ilike any('{translat%,illustrat%,narrat%,foreword%,introduc%,read by%,afterword%}');
        piece := (select string_agg(name, ',' order by place) from unnest(string_to_array(piece, ',')) with ordinality as u (name, place)
            where not name ilike any('{%translat%,%illustrat%,%narrat%,%foreword%,%introduc%,%read by%,%afterword%}'));
        piece := regexp_replace(
            translate(piece, '[]', ''), '\s*[(].*$|^\s*(?:edited|written|created|selected|compiled)?\s*\mby\M|,? *\meditors?\M.*$', '', 'i'
        );
        names := array(select trim(name) from unnest(string_to_array(piece, ',')) as name where trim(name, ' .') <> '');
        if cardinality(names) = 2 and (
            names[1] not like '% %' or names[2] not like '% %' or rtrim(names[2], '.') like '% _'
            or lower(split_part(names[1], ' ', 1)) = any('{le,la,de,du,van,von,der,den,del,della,di,da,dos,st.,al,el,bin,ibn,ten,ter}')
        ) then
            names := array[names[2] || ' ' || names[1]];
        end if;
        people := people || names;
    end loop;
    return people;
end
$$;
comment on function enrichment.split_authors(text) is
'The people of one author field, first name first: lists with and, &, ;, / or commas are split, "Last, First" turned round, suffixes and years dropped, translators, illustrators and narrators left out.';

create function enrichment.name_keys(name text)
returns text[]
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    words text[] := string_to_array(name_keys.name, ' ');
    last_name text := words[cardinality(words)];
    middle_name text := words[cardinality(words) - 1];
    initial text := translate(left(name_keys.name, 1), 'абвгдезийклмнопрстуфхя', 'abvgdeziyklmnoprstufhy');
    nickname text := '{"bob": "r", "rob": "r", "bill": "w", "dick": "r", "tony": "a", "ted": "t", "kate": "c", "katherine": "c",
        "karl": "c", "chuck": "c", "beth": "e", "betty": "e", "peggy": "m"}'::jsonb ->> words[1];
    consonants text;
begin
    -- Dostoyevsky, Dostoevsky and Достоевский have the same consonants; y, h, w and j come and go between spellings.
    consonants := translate(last_name, 'бвгдзклмнпрстфхцчшщжaeiouyhwjаеёийоуыэюяьъ', 'bvgdzklmnprstfkzcssz');
    consonants := replace(replace(replace(replace(replace(consonants, 'll', 'l'), 'ss', 's'), 'tt', 't'), 'nn', 'n'), 'ff', 'f');
    return array_remove(
        array[
            last_name || ' ' || initial,
            last_name || ' ' || nickname,
            case when length(consonants) > 3 then consonants || ' ' || initial || '~' end,
            case when cardinality(words) > 2 and length(middle_name) > 3 then middle_name || ' ' || initial end
        ], null
    );
end
$$;
comment on function enrichment.name_keys(text) is
'Last name and first initial of a folded name, in the ways they may be written: with a nickname''s initial, by the consonants of the last name, with the first of two last names.';

create function enrichment.parse_authors(names text[])
returns enrichment.author_parts
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    parts enrichment.author_parts := '(,,,,,)'::enrichment.author_parts;
    name text;
    person text;
    folded text;
    pen_names jsonb := enrichment.pen_names();
    known_as text;
    words text[];
    seen integer := 0;
begin
    -- A list of thousands is no list of authors, and costs the square of its length: 8,000 names took 8 s.
    <<everybody>>
    foreach name in array coalesce(parse_authors.names[:100], '{}') loop
        foreach person in array enrichment.split_authors(name) loop
            seen := seen + 1;
            exit everybody when seen > 100;
            folded := enrichment.fold_text(person);
            if folded like any('{the %,dr %,sir %,prof %,professor %,rev %,dame %,mr %,mrs %,ms %}') then
                folded := substr(folded, strpos(folded, ' ') + 1);
            end if;
            continue when coalesce(folded, '') = '' or folded = any(parts.names);
            known_as := pen_names ->> replace(folded, ' ', '');
            words := string_to_array(folded, ' ');
            parts.names := parts.names || folded;
            parts.last_names := parts.last_names || words[cardinality(words)];
            parts.initialled := parts.initialled || enrichment.name_keys(folded) || enrichment.name_keys(known_as);
            parts.spellings := parts.spellings || replace(folded, ' ', '')
                || array_to_string(array(select word collate "C" from unnest(words) as word order by 1), ' ');
            if cardinality(words) > 1 then
                parts.first_names := parts.first_names || words[1];
            elsif length(folded) > 3 then
                parts.single_names := parts.single_names || folded;
            end if;
        end loop;
    end loop;
    return parts;
end
$$;
comment on function enrichment.parse_authors(text[]) is
'Authors folded for comparison; "Last, First" and "First Last" fold to the same, and so does "A and B; illustrated by C" to A and B. The first hundred count. Null arrays where no author is known.';
