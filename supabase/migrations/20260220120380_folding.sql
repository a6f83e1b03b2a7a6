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
                    when word = any(romans) and (length(word) > 1 and previous <> '' or previous = any('{no,vol,volume,book,part}'))
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
'Number words and Roman numerals of a folded text as digits: "nineteen eighty four" is 1984, "henry iv part i" is henry 4 part 1. A Roman numeral never stands first, and I, V, X alone count only after volume, book, part.';
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

create function enrichment.title_glossary()
returns jsonb
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    return
        '{"acqua": "water", "agua": "water", "allgemeine": "general", "alquimista": "alchemist", "alte": "old", "amante": "lover",
        "ame": "soul", "amerique": "america", "ames": "souls", "amica": "friend", "amico": "friend", "amor": "love", "amore": "love",
        "amour": "love", "anima": "soul", "anneaux": "rings", "anos": "years", "ans": "years", "anunciada": "foretold",
        "arbol": "tree", "arbre": "tree", "automne": "autumn", "aventures": "adventures", "bambino": "child", "baum": "tree",
        "belle": "beauty", "berg": "mountain", "bete": "beast", "bianca": "white", "bianco": "white", "blanc": "white",
        "blanca": "white", "blanche": "white", "blanco": "white", "blechtrommel": "tin drum", "blut": "blood", "bok": "book",
        "bonheur": "happiness", "bosco": "forest", "bose": "evil", "bosque": "forest", "bossu": "hunchback", "bruder": "brothers",
        "bruja": "witch", "buch": "book", "bucher": "books", "calle": "street", "camino": "path", "carta": "letter",
        "cartas": "letters", "casa": "house", "cegueira": "blindness", "cent": "hundred", "centre": "center", "chat": "cat",
        "chateau": "castle", "chemin": "path", "chien": "dog", "chute": "fall", "cidade": "city", "ciel": "sky", "cielo": "heaven",
        "cien": "hundred", "cimitero": "cemetery", "cinq": "five", "citta": "city", "ciudad": "city", "clef": "key", "coeur": "heart",
        "colera": "cholera", "colour": "color", "colours": "colors", "commedia": "comedy", "comte": "count",
        "confessions": "confession", "conte": "tale", "contes": "tales", "contrat": "contract", "coracao": "heart",
        "corazon": "heart", "coronel": "colonel", "coscienza": "conscience", "cronica": "chronicle", "cuento": "tale",
        "cuentos": "tales", "cuore": "heart", "dangereuses": "dangerous", "dei": "gods", "democratie": "democracy", "dernier": "last",
        "derniere": "last", "deserto": "desert", "deux": "two", "deuxieme": "2nd", "dia": "day", "diable": "devil", "diablo": "devil",
        "dias": "days", "diavolo": "devil", "dieu": "god", "dieux": "gods", "dio": "god", "dios": "god", "dioses": "gods",
        "discours": "discourse", "divina": "divine", "dod": "death", "doden": "death", "donna": "woman", "donne": "women",
        "dos": "two", "dr": "doctor", "drei": "three", "dreigroschenoper": "threepenny opera", "dukkehjem": "doll", "eau": "water",
        "ecole": "school", "ehre": "honor", "enfant": "child", "enfants": "children", "ensaio": "essay", "erde": "earth",
        "erste": "1st", "espada": "sword", "espiritus": "spirits", "esprit": "spirit", "esprits": "spirits", "estrella": "star",
        "ete": "summer", "etoile": "star", "etoiles": "stars", "etranger": "stranger", "etre": "being", "fable": "fables",
        "fantome": "phantom", "favour": "favor", "favourite": "favorite", "femme": "woman", "femmes": "women", "feu": "fire",
        "feuer": "fire", "ficciones": "fictions", "figlia": "daughter", "figlio": "son", "fille": "girl", "filles": "girls",
        "fils": "son", "fleurs": "flowers", "flickan": "girl", "foret": "forest", "fortuna": "fortune", "fratelli": "brothers",
        "frau": "woman", "fred": "peace", "fremde": "stranger", "frere": "brother", "freres": "brothers", "frieden": "peace",
        "frygt": "fear", "fuego": "fire", "fuoco": "fire", "gattopardo": "leopard", "geist": "spirit", "geister": "spirits",
        "geniale": "brilliant", "geschichte": "story", "giorno": "day", "glasperlenspiel": "glass bead game", "gott": "god",
        "gotter": "gods", "grand": "great", "grande": "great", "grey": "gray", "grosse": "great", "guerra": "war", "guerre": "war",
        "harbour": "harbor", "haus": "house", "havet": "sea", "hermano": "brother", "hermanos": "brothers", "herz": "heart",
        "hidalgo": "gentleman", "hija": "daughter", "hijo": "son", "hijos": "sons", "himmel": "sky", "histoire": "story",
        "historia": "story", "hiver": "winter", "hjarta": "heart", "hjerte": "heart", "hombre": "man", "hombres": "men",
        "homem": "man", "homme": "man", "hommes": "man", "honour": "honor", "hundert": "hundred", "hus": "house", "huset": "house",
        "ile": "island", "ilha": "island", "ingenioso": "ingenious", "insel": "island", "inverno": "winter",
        "invisibili": "invisible", "isla": "island", "isola": "island", "jahre": "years", "japones": "japanese", "jardin": "garden",
        "jenseits": "beyond", "jeune": "young", "jeunes": "young", "jewellery": "jewelry", "jour": "day", "jours": "days",
        "juego": "game", "jungen": "young", "kaerlighed": "love", "karlek": "love", "kinder": "children", "kleine": "little",
        "kommunistische": "communist", "kommunistischen": "communist", "konge": "king", "konig": "king", "konigin": "queen",
        "krieg": "war", "krig": "war", "krigen": "war", "kritik": "critique", "kultur": "civilization", "kung": "king",
        "laberinto": "labyrinth", "labour": "labor", "ladron": "thief", "larmes": "tears", "leben": "life",
        "leichtigkeit": "lightness", "leiden": "sorrows", "lettera": "letter", "lettre": "letter", "lettres": "letters",
        "letzte": "last", "libro": "book", "licht": "light", "liebe": "love", "lieues": "leagues", "liv": "life", "livet": "life",
        "livets": "life", "livre": "book", "livro": "book", "llamas": "flames", "lluvia": "rain", "lobo": "wolf", "lois": "laws",
        "loup": "wolf", "luce": "light", "lumiere": "light", "luna": "moon", "lune": "moon", "lupo": "wolf", "luz": "light",
        "madchen": "girl", "madre": "mother", "maestro": "master", "maison": "house", "manifest": "manifesto", "mann": "man",
        "mannen": "man", "meer": "sea", "memoria": "memories", "memorias": "memories", "mensch": "human", "menschen": "humans",
        "mer": "sea", "mere": "mother", "mers": "sea", "methode": "method", "mille": "thousand", "mir": "peace",
        "miserables": "miserable", "mond": "moon", "monde": "world", "mondo": "world", "mort": "death", "morte": "death",
        "morts": "dead", "moulin": "mill", "mousquetaires": "musketeers", "mr": "mister", "mt": "mount", "muchacha": "girl",
        "muerte": "death", "mujer": "woman", "mujeres": "women", "mulher": "woman", "mundo": "world", "mutter": "mother",
        "mysterieuse": "mysterious", "mythe": "myth", "nacht": "night", "nachtzug": "night train", "nakazanie": "punishment",
        "nat": "night", "natt": "night", "natten": "night", "nausee": "nausea", "neant": "nothingness", "negra": "black",
        "negro": "black", "neige": "snow", "neighbour": "neighbor", "nera": "black", "nero": "black", "neues": "new", "nino": "child",
        "ninos": "children", "noche": "night", "noir": "black", "noire": "black", "noite": "night", "norte": "north",
        "notte": "night", "nuit": "night", "nuits": "nights", "oiseau": "bird", "ombra": "shadow", "ombre": "shadow",
        "otono": "autumn", "pace": "peace", "padre": "father", "paix": "peace", "parfum": "perfume", "partei": "party",
        "pasado": "past", "patriarca": "patriarch", "paz": "peace", "pendolo": "pendulum", "pensees": "thoughts", "perdida": "lost",
        "perdido": "lost", "perdu": "lost", "perdue": "lost", "perduta": "lost", "perduto": "lost", "pere": "father", "perro": "dog",
        "perros": "dogs", "peste": "plague", "petit": "little", "petite": "little", "pierre": "stone", "planete": "planet",
        "pluie": "rain", "porta": "door", "porte": "door", "poupee": "doll", "premier": "1st", "premiere": "1st",
        "prestuplenie": "crime", "primera": "1st", "primero": "1st", "principe": "prince", "printemps": "spring",
        "prisionero": "prisoner", "promessi": "betrothed", "prozess": "trial", "puerta": "door", "quatre": "four",
        "quijote": "quixote", "rainha": "queen", "rayuela": "hopscotch", "recherche": "search", "regina": "queen", "rei": "king",
        "reina": "queen", "reine": "queen", "reinen": "pure", "reise": "journey", "relativitatstheorie": "relativity",
        "reloj": "clock", "retrato": "portrait", "reve": "dream", "reves": "dreams", "rey": "king", "roi": "king", "rois": "kings",
        "roja": "red", "rojo": "red", "roman": "novel", "rossa": "red", "rosso": "red", "roten": "red", "rouge": "red",
        "salvajes": "savage", "sang": "blood", "sangre": "blood", "schachnovelle": "chess story", "schatten": "shadow",
        "schloss": "castle", "schonen": "beautiful", "schwarz": "black", "schwarze": "black", "schwestern": "sisters",
        "secreto": "secret", "seele": "soul", "segreto": "secret", "seigneur": "lord", "sein": "being", "sentimentale": "sentimental",
        "sexe": "sex", "singes": "apes", "soeur": "sister", "soeurs": "sisters", "sohn": "son", "sol": "sun", "sole": "sun",
        "soledad": "solitude", "soleil": "sun", "sombra": "shadow", "sommar": "summer", "sommer": "summer", "sonne": "sun",
        "sorciere": "witch", "sous": "under", "spezielle": "special", "spiel": "game", "sprach": "spoke", "st": "saint",
        "staden": "city", "stadt": "city", "stella": "star", "storia": "story", "strada": "road", "sueno": "dream",
        "suenos": "dreams", "sult": "hunger", "sur": "south", "svalt": "hunger", "tempo": "time", "temps": "time", "terra": "earth",
        "terre": "earth", "teufel": "devil", "theatre": "theater", "theorie": "theory", "tiempo": "time", "tiempos": "time",
        "tierra": "earth", "tochter": "daughter", "tod": "death", "tragedie": "tragedy", "tranquille": "quiet", "traum": "dream",
        "traumdeutung": "interpretation dreams", "traume": "dreams", "traveller": "traveler", "travellers": "travelers",
        "tres": "three", "trois": "three", "tunel": "tunnel", "uber": "on", "ultima": "last", "ultimo": "last",
        "unbehagen": "discontents", "unendliche": "neverending", "unertragliche": "unbearable", "uomo": "man", "varlden": "world",
        "vater": "father", "vatten": "water", "vento": "wind", "verden": "world", "verlorene": "lost", "verlorenen": "lost",
        "vernunft": "reason", "verwandlung": "metamorphosis", "viaggiatore": "traveler", "viaggio": "journey", "viaje": "journey",
        "vida": "life", "vie": "life", "viejo": "old", "viento": "wind", "ville": "city", "vingt": "twenty", "vinter": "winter",
        "vita": "life", "voina": "war", "voleur": "thief", "vorleser": "reader", "voyage": "journey", "voyages": "journey",
        "vs": "versus", "wald": "forest", "wasser": "water", "weiss": "white", "weisse": "white", "welt": "world", "wille": "will",
        "zauberberg": "magic mountain", "zauberer": "wizard", "zeit": "time", "zwei": "two", "бесы": "demons", "братья": "brothers",
        "война": "war", "времени": "time", "герои": "hero", "дети": "children", "души": "souls", "евгении": "eugene",
        "идиот": "idiot", "карамазовы": "karamazov", "маргарита": "margarita", "мастер": "master", "мертвые": "dead", "мир": "peace",
        "наказание": "punishment", "нашего": "our", "отцы": "fathers", "преступление": "crime", "сердце": "heart", "собачье": "dog"}'::jsonb;
end
$$;
comment on function enrichment.title_glossary() is
'Everyday words of titles in other languages, and of classics that Open Library names in the language they were written in, in English: enough for "La guerre et la paix", no translation. British spellings and abbreviations go the same way.';
revoke all on function enrichment.title_glossary() from public, anon, authenticated, service_role;

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
