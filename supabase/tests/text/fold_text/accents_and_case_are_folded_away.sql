-- Two spellings of a name that differ in case, accents or ligatures fold to the same text.
begin;
select plan(7);

select is(enrichment.fold_text(t.written), t.folded, t.written)
from (
    values
    ('Gabriel García Márquez', 'gabriel garcia marquez'), ('ŁÓDŹ', 'lodz'), ('Ængstrøm', 'aengstrom'), ('Straße', 'strasse'),
    ('Œuvres complètes', 'oeuvres completes'), ('İstanbul', 'istanbul'), (U&'re\0301sume\0301', 'resume')
) as t (written, folded);

select * from finish();
rollback;
