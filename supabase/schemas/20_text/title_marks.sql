-- The words in a folded title that say what it is: a kind of book or edition, a book about the book, several books in one. titles.sql asks
-- for them.

create function enrichment.is_weak_subtitle(segment text)
returns boolean
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    return is_weak_subtitle.segment ~ (
        '^(?:an? |the )?(?:[a-z0-9]+ ){0,5}(?:novel|novella|memoir|thriller|mystery|romance|fable|edition|unabridged|classics?|paperback'
        '|hardcover)$|^(?:short )?(?:stories|poems|essays)$|^(?:a )?(?:true )?(?:story|tale)$|^(?:a )?novel '
        '|^(?:ein )?(?:kriminal)?roman$|^(?:novela|romanzo)$'
    );
end
$$;
comment on function enrichment.is_weak_subtitle(text) is
'Whether a subtitle only says what kind of book or edition it is: "a novel", "a Miss Marple mystery", "deluxe edition".';

create function enrichment.derivative_mark(folded text)
returns text
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    if string_to_array(derivative_mark.folded, ' ') && '{summary,guide,sparknotes,spark,cliffsnotes,cliffs,york,lesson,lessons,companion,
        workbook,work,graphic,manga,play,adaptation,adapted,screenplay,script,novelization,novelisation,storybook,coloring,colouring,
        critical,analysis,notes,making,readers,bookworms,level,golden,trivia,quiz,poster,sticker,calendar,journal,soundtrack,dramatized,
        dramatised,retold}'::text[]
    then
        return substring(
            concat(' ', derivative_mark.folded, ' ') from
            ' (summary|study guide|sparknotes|spark notes|cliffs ?notes|york notes|readers guide|reading guide|teachers guide'
            '|teaching guide|guide for|strategy guide|official [a-z ]*guide|lessons? plans?|companion|workbook|work book'
            '|graphic novel|graphic adaptation|manga|the play|a play|stage adaptation'
            '|adaptation|adapted|screenplay|shooting script|novelization|novelisation|storybook'
            '|colou?ring book|critical essays|analysis of|notes on|the making of|penguin readers|bookworms|level [0-9]+|little golden book'
            '|trivia|quiz|poster book|sticker book|calendar|journal|soundtrack|dramati[sz]ed|retold) '
        );
    end if;
    return null;
end
$$;
comment on function enrichment.derivative_mark(text) is
'The words that make it a book about the book, or the book in another form: "study guide", "graphic novel", "screenplay". Null where none.';

create function enrichment.omnibus_mark(folded text)
returns text
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    if string_to_array(omnibus_mark.folded, ' ') && '{trilogy,omnibus,compendium,deluxe,box,boxed,boxset,bundle,duology,tetralogy,quartet,
        quintet,anthology,
        complete,collected,other,selected,books,bks,volumes,vols}'::text[] or omnibus_mark.folded like '% in 1%'
    then
        return substring(
            concat(' ', omnibus_mark.folded, ' ') from
            ' (trilogy|omnibus|compendium|deluxe edition book|box set|boxed|boxset|bundle|duology|tetralogy|quartet|quintet|anthology'
            '|complete (?:novels|works|series|collection|saga|trilogy|stories|set|short|poems|plays)|collected (?:works|novels)'
            '|[0-9]+ complete novels|[0-9]+ (?:books )?in 1|(?:and|with) (?:other|selected) [a-z ]+'
            '|(?:books|bks|volumes|vols) [0-9]+ (?:to|and) [0-9]+) '
        );
    end if;
    return null;
end
$$;
comment on function enrichment.omnibus_mark(text) is
'The words that make it several books in one: "trilogy", "box set", "and other stories", "books 1 to 3", a comic''s "deluxe edition book 1". Null where none.';
