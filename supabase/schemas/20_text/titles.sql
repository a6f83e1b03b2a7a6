-- A title taken apart: main title, subtitle, series, volume, and the words that say it is another book (title_marks.sql). Every part is
-- folded, so that scoring (25_matching) compares keys only. parse_title is what others call; the rest are its steps, in order.

create type enrichment.title_parts as (
    full_key text,       -- the whole title with its subtitle, without what stands in brackets
    main_key text,       -- the title before its subtitle
    series_number text,  -- 3, 0.5 or 1-3, from "(The Hunger Games, #3)" or "Vol. 3"
    core_key text,       -- main title and subtitle, without edition, kind of book and series
    subtitle_key text,   -- empty where none
    series_key text,     -- the series' name
    volume text,         -- the number that is part of this very title: "Batman: Hush, Vol. 2"
    derivative text,     -- "study guide", "graphic novel": the words that say it is not the book itself
    omnibus text,        -- "trilogy", "and other stories": the words that say it is several books
    numbers text [],     -- every number in core_key
    forms text [],       -- the keys under which it may be printed too
    words text [],       -- its telling words, sorted
    known_as text        -- core_key of the title it is best known by, where it is printed under another
);
comment on type enrichment.title_parts is
'A title taken apart for comparison by parse_title(): every part folded, null or empty where the title has none.';

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
        select string_agg(coalesce(glossary ->> word, word), ' ' order by place) into english
        from unnest(words) with ordinality as u (word, place);
        words := string_to_array(enrichment.fold_numbers(english), ' ');
    end if;
    words := array(
        select word collate "C"
        from unnest(words) as word
        where word <> all('{the,a,an,of,on,in,to,and,for,with,by,from,at,de,la,le,les,l,d,du,des,au,aux,en,el,los,las,lo,del,un,
            une,una,ein,eine,y,et,und,der,die,das,den,im,von,zum,zur,il,gli,di,della,dell,delle,dello,do,da,dos,og,и,в}'::text[])
        order by 1
    );
    return case when cardinality(words) = 0 then string_to_array(title_words.folded, ' ') else words end;
end
$$;
comment on function enrichment.title_words(text) is
'The telling words of a folded title, sorted: without articles and prepositions, everyday words of other languages in English.';

create function enrichment.title_numbers(folded text)
returns text[]
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    if translate(title_numbers.folded, '0123456789', '') = title_numbers.folded then
        return null;
    end if;
    return array(
        select word from unnest(string_to_array(title_numbers.folded, ' ')) as word where left(word, 1) between '0' and '9' order by 1
    );
end
$$;
comment on function enrichment.title_numbers(text) is 'The numbers in a folded title, sorted; null where it has no digit.';

create function enrichment.read_volume(folded text)
returns text[]
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    if translate(read_volume.folded, '0123456789', '') = read_volume.folded then
        return null;
    end if;
    return coalesce(
        regexp_match(
            read_volume.folded,
            '^(?:(.*) )?(?:no|number|vols?|volumes?|books?|bks?|parts?|pt|band|tome|tomo|teil|issues?|episode)(?: the)? '
            '0*([0-9]+(?:p[0-9]+)?(?: to [0-9]+(?:p[0-9]+)?)?)(?: (.*))?$'
        ),
        regexp_match(read_volume.folded, '^(?:(.*) )?([0-9]+)(?:st|nd|rd|th) (?:part|book|volume)(?: (.*))?$')
    );
end
$$;
comment on function enrichment.read_volume(text) is
'What stands before the number, the number, and what stands after it: "discworld book 4" is {discworld,4,null}. Null where no volume is named. 0p5 is 0.5, "1 to 3" a range.';

create function enrichment.split_title(bare text, folded text)
returns text[]
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    pieces text[];
    piece text;
    segments text[] := '{}'::text[];
begin
    if split_title.bare ilike any('{%:%,%;%,%-%,%–%,%—%,%. %,%! %,%? %,% or%,%\, a%}') then
        pieces := regexp_split_to_array(
            split_title.bare,
            '\s*:+\s+|\s+[:–—-]+\s+|;\s+|(?:(?<=\w{4})\.|[!?]) +(?=[[:alpha:]])|,? or, (?:the )?|, or |, an? ', 'i'
        );
    end if;
    foreach piece in array coalesce(pieces, array[split_title.folded]) loop
        if pieces is not null then
            piece := enrichment.fold_numbers(enrichment.fold_text(piece));
        end if;
        if piece like any('{%edition,%unabridged,%revised,%expanded,%updated,%illustrated,% the,% les,%stories of %,%poems of %,
            %poetry of %,%works of %,%tales of %,%plays of %,%essays of %,%writings of %,%stories by %,%poems by %,%works by %,%plays by %,
            %essays by %}')
        then
            piece := regexp_replace(
                piece,
                '(?:(?:^| )(?:and|[0-9]+(?:st|nd|rd|th)|revised|updated|expanded|illustrated|annotated|deluxe|special|premium|anniversary'
                '|collectors|new))*(?:^| )(?:edition|unabridged|revised|expanded|updated|illustrated)$| (?:the|les)$'
                '|(?<=(?:selected|collected|complete|other|short) (?:stories|poems|poetry|works|tales|plays|essays|writings))'
                ' (?:of|by) .*$',
                ''
            );
        end if;
        if piece <> '' then
            segments := segments || piece;
        end if;
    end loop;
    return segments;
end
$$;
comment on function enrichment.split_title(text, text) is
'A title''s segments, folded (most titles have one, which the caller has folded): cut at a colon, dash, semicolon, ", or" and ", a", and where a sentence ends (a word of four letters before the full stop: Mr. and Dr. are none). The edition at the end of one goes, so do an article put last ("Hobbit, The") and whose stories or poems they are.';

create function enrichment.read_remarks(remarks text[])
returns text[]
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    remark text;
    folded text;
    volume text[];
    series text[] := array[null, null, null];
    rest text;
begin
    foreach remark in array string_to_array(array_to_string(read_remarks.remarks, ';'), ';') loop
        if remark like '%.%' then
            remark := regexp_replace(remark, '([0-9])\.([0-9])', '\1p\2', 'g');
        end if;
        folded := enrichment.fold_numbers(enrichment.fold_text(remark));
        volume := coalesce(enrichment.read_volume(folded), regexp_match(folded, '^(.+) ([0-9]{1,2}(?: to [0-9]{1,2})?)$'));
        if volume is null then
            rest := concat_ws(' ', rest, case when remark like '% / %' then 'omnibus' end, folded);
        elsif series[2] is null then
            series := array[
                enrichment.bare_title(coalesce(
                    volume[1], case when volume[3] like any('{of %,in %}') then substr(volume[3], 4) end, volume[3], ''
                )),
                replace(replace(volume[2], ' to ', '-'), 'p', '.'),
                case when remark like '%: %'
                    then (enrichment.read_volume(enrichment.fold_numbers(enrichment.fold_text(split_part(remark, ': ', -1)))))[1]
                end
            ];
        end if;
    end loop;
    return series || rest;
end
$$;
comment on function enrichment.read_remarks(text[]) is
'What a title''s brackets say: {series, number, last part of a series'' name with a colon, everything else}. The first series named counts.';

create function enrichment.place_segments(parts enrichment.title_parts, segments text[])
returns enrichment.title_parts
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    segment text;
    volume text[];
    volume_of text;
    kept text[] := '{}'::text[];
begin
    foreach segment in array place_segments.segments loop
        volume := enrichment.read_volume(segment);
        if cardinality(kept) = 0 then
            if volume[1] is not null and volume[3] is null then
                volume_of := enrichment.bare_title(volume[1]);
                parts.series_key := coalesce(parts.series_key, volume_of);
                parts.volume := replace(volume[2], ' to ', '-');
            end if;
        elsif volume is not null and (volume[1] is null or volume[3] is null) then
            if volume[3] is null and (
                volume[2] like '% to %' or not segment like any('{%no %,%number %}')
                and (volume[1] is not null or segment not like '%book%')
            ) then
                parts.volume := replace(volume[2], ' to ', '-');
            end if;
            if volume[1] is null and volume[3] like 'of %' then
                parts.series_key := coalesce(parts.series_key, enrichment.bare_title(substr(volume[3], 4)));
            end if;
            segment := case when volume[3] like 'of %' or volume[3] like 'in %' then '' else coalesce(volume[1], volume[3], '') end;
        end if;
        parts.series_number := coalesce(
            parts.series_number, case when volume[1] is null or volume[3] is null then replace(volume[2], ' to ', '-') end
        );
        if cardinality(kept) > 0 and enrichment.is_weak_subtitle(segment) then
            segment := '';
        end if;
        if segment <> '' then
            if cardinality(kept) > 0 and volume is null then
                parts.volume := null;
            end if;
            kept := kept || segment;
        end if;
    end loop;
    if volume_of is not null then
        kept := case when cardinality(kept) > 1 then kept[2:] else array[volume_of] end;
    end if;

    parts.core_key := coalesce(nullif(enrichment.bare_title(array_to_string(kept, ' ')), ''), parts.full_key);
    parts.main_key := coalesce(enrichment.bare_title(kept[1]), parts.full_key);
    parts.subtitle_key := array_to_string(kept[2:], ' ');
    return parts;
end
$$;
comment on function enrichment.place_segments(enrichment.title_parts, text[]) is
'Gives each segment of a title its place. A first segment that ends in a number is a series when a title follows ("Fables, Vol. 8: Wolves"), a volume when none does; a segment that only says which book of a series it is, or what kind of book, is no subtitle.';

create function enrichment.series_forms(parts enrichment.title_parts, series_tail text)
returns text[]
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    forms text[] := array[parts.core_key, parts.main_key];
    prefix text;
begin
    foreach prefix in array array[parts.series_key, series_forms.series_tail] loop
        if prefix <> parts.main_key then
            forms := forms || (prefix || ' ' || parts.core_key) || (prefix || ' ' || parts.main_key);
        end if;
    end loop;
    if parts.subtitle_key like '% %' and not string_to_array(parts.subtitle_key, ' ') && '{stories,story,poems,novels,essays,memoir,
        history,life,guide,letters,collection,works,tales,and,or,plays,biography,introduction,novel,edition,writings}'::text[]
    then
        forms := forms || enrichment.bare_title(parts.subtitle_key);
    end if;
    if split_part(parts.core_key, ' or ', 2) like '% % %' then
        forms := forms || split_part(parts.core_key, ' or ', 1);
    end if;
    if parts.core_key like any(
        '{%adventures of %,avent%,avvent%,%tragedy of %,comedy of %,%strange case of %,%opinions of %,%history of %,king %}'
    ) then
        forms := forms || regexp_replace(
            parts.core_key,
            '^(?:(?:[a-z]+ ){0,4}(?:adventures|tragedy|strange case|opinions) of|avv?entur(?:es?|as) d[ei]|comedy of'
            '|(?:tragical|personal) history of)(?: the)?(?: king)? '
            '|^king (?=[a-z]+ [0-9])', ''
        );
    end if;
    return forms;
end
$$;
comment on function enrichment.series_forms(enrichment.title_parts, text) is
'The folded ways the same title may be printed: without its subtitle or its second title ("or There and Back Again"), behind its series'' name, without the franchise before the colon ("Doctor Who: The Day of the Comet") unless what is left is a common phrase, or without an opening like "The Adventures of".';

create function enrichment.one_line_title(title text, subtitle text)
returns text
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    whole text := replace(
        replace(concat_ws(': ', one_line_title.title, nullif(one_line_title.subtitle, '')), '：', ': '), '#', ' no '
    );
begin
    if whole ~ '[0-9][,–—-]\s?[n0-9]' then
        whole := regexp_replace(whole, '([0-9]),([0-9]{3})\M', '\1\2', 'g');
        whole := regexp_replace(whole, '([0-9])\s?[–—-]\s?(?:no )?([0-9])', '\1 to \2', 'g');
    end if;
    if whole like any('{%l''%,%L''%,%d''%,%D''%,%l’%,%L’%,%d’%,%D’%}') then
        whole := regexp_replace(whole, '\m([ldLD])[''’](?=\w)', '\1 ', 'g');
    end if;
    return whole;
end
$$;
comment on function enrichment.one_line_title(text, text) is
'Title and subtitle with a colon between them; "#3" is "no 3" there, "1-3" is "1 to 3", "1,000" is "1000" and "L''Assommoir" is "L Assommoir".';

create function enrichment.parse_title(title text, subtitle text default null)
returns enrichment.title_parts
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    bracket constant text := '\s[(\[]([^][()]*)[)\]](?=\s*(?:[:;,.]|$|[(\[]))';
    whole text := enrichment.one_line_title(parse_title.title, parse_title.subtitle);
    bare text := whole;
    series text[] := array[null, null, null, null];
    folded text;
    known_titles jsonb := enrichment.known_titles();
    parts enrichment.title_parts;
begin
    if whole like any('{% (%,% [%}') then
        series := enrichment.read_remarks(array(select hit[1] from regexp_matches(whole, bracket, 'g') as hit));
        bare := regexp_replace(whole, bracket, '', 'g');
    end if;

    folded := enrichment.fold_text(bare);
    parts.full_key := enrichment.bare_title(folded);
    parts.series_key := nullif(series[1], '');
    parts.series_number := series[2];
    folded := enrichment.fold_numbers(folded);
    parts.derivative := enrichment.derivative_mark(concat_ws(' ', folded, series[4], series[1]));
    parts.omnibus := enrichment.omnibus_mark(concat_ws(' ', folded, series[4]));
    if parts.full_key = '' then
        parts.full_key := enrichment.fold_text(whole);
        bare := whole;
        folded := enrichment.fold_numbers(parts.full_key);
    elsif parts.derivative is not null or parts.omnibus is not null then
        parts.full_key := concat_ws(' ', parts.full_key, series[4]);
    end if;

    parts := enrichment.place_segments(parts, enrichment.split_title(bare, folded));
    if parts.omnibus is null then
        parts.omnibus := case
            when parts.subtitle_key = 'and' or parts.subtitle_key like 'and %' then 'and'
            when bare like '%: % / % / %' then '/'
        end;
    end if;
    -- A book that bears its series' name is the first of it; with another number it is a volume.
    if parts.series_key = parts.core_key and parts.series_number <> '1' then
        parts.volume := coalesce(parts.volume, parts.series_number);
    end if;
    -- "#5, Part 1" is half of the fifth book.
    if whole ilike any('{% no %\, part %,% no %: part %}') then
        parts.volume := coalesce(parts.volume, substring(lower(whole) from ' no [0-9]+[,:] part ([0-9]+)'));
    end if;
    parts.forms := enrichment.series_forms(parts, series[3])
        || case when parts.volume is null then enrichment.bare_title(folded) else parts.core_key || ' ' || parts.volume end;
    if series[4] is not null then
        parts.forms := parts.forms || (series[4] || ' ' || parts.core_key);
    end if;
    parts.numbers := enrichment.title_numbers(parts.core_key);
    parts.known_as := coalesce(known_titles ->> parts.core_key, known_titles ->> parts.main_key);
    parts.words := enrichment.title_words(parts.core_key);
    return parts;
end
$$;
comment on function enrichment.parse_title(text, text) is
'Splits "Mockingjay (The Hunger Games, #3)" into folded title, main title, subtitle, series and number, volume, marks of a derivative work or an omnibus, and the forms under which it may also be printed.';
