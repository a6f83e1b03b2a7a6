-- A row is kept for months: of the parts it keeps what a person reads, not the word lists the comparison worked with.
begin;
select plan(1);

select is(
    enrichment.compact_parts('{
        "title": {"score": 3, "ours": {"main_key": "dune", "numbers": ["2"], "forms": ["dune"], "words": ["dune"]}, "theirs": {"main_key": "dune", "volume": "2", "numbers": [], "forms": ["dune"], "words": []}, "veto": "volume"},
        "author": {"score": 3, "ours": ["frank herbert"], "theirs": ["frank herbert"]}, "isbn": {"score": 0}
    }'),
    '{
        "title": {"score": 3, "ours": {"main_key": "dune"}, "theirs": {"main_key": "dune", "volume": "2"}, "veto": "volume"},
        "author": {"score": 3, "ours": ["frank herbert"], "theirs": ["frank herbert"]}, "isbn": {"score": 0}
    }', 'scores, keys, volume and veto stay'
);

select * from finish();
rollback;
