-- Nothing is transliterated and no script is thrown away, so that titles in any of them can be compared.
begin;
select plan(6);

select is(enrichment.fold_text(t.written), t.folded, t.written)
from (
    values
    ('Преступление и наказание', 'преступление и наказание'), ('罪と罰', '罪と罰'), ('Ὀδύσσεια', 'οδυσσεια'),
    ('ألف ليلة وليلة', 'ألف ليلة وليلة'), ('ガラスの仮面', 'ガラスの仮面')
) as t (written, folded);
select isnt(enrichment.fold_text('हिन्दी'), '', 'Devanagari is not folded to nothing');

select * from finish();
rollback;
