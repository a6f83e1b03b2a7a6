-- The same comparison in words: each part of a score and one sentence, for the reader who reviews a match.

create function enrichment.explain_title(one enrichment.title_parts, other enrichment.title_parts, score integer, veto text)
returns text
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    return case
        when veto = 'derivative'
            then coalesce('a ' || other.derivative || ', not the book itself', 'the book itself, not the ' || one.derivative)
        when veto = 'omnibus' and other.omnibus is null then 'a single book, not the omnibus'
        when veto = 'omnibus' then 'an omnibus, not the single book'
        when veto = 'series' then format('a book of another series: %s, not %s', other.series_key, one.series_key)
        when veto = 'volume' then format(
            'another volume of the series: %s, not %s', coalesce(other.volume, other.series_number), coalesce(one.volume, one.series_number)
        )
        when veto = 'number'
            then format('another number in the title: %s, not %s', array_to_string(other.numbers, ', '), array_to_string(one.numbers, ', '))
        when veto = 'unstated' then format('title alike, but only one side says which volume it is: %s', coalesce(one.volume, other.volume))
        when score = 4 and (one.series_number is null) <> (other.series_number is null) then 'title equal without the series name'
        when score = 4 then 'title equal'
        when score = 3 and one.main_key = other.main_key and '' in (one.subtitle_key, other.subtitle_key)
            then 'title equal but for a subtitle'
        when score = 3 and one.main_key = other.main_key then 'title equal but for the wording of the subtitle'
        when score = 3 and one.words = other.words then 'title equal in other words or spelling'
        when score = 3 and coalesce(one.known_as, other.known_as) is not null then 'the same book under another title'
        when score = 3 then 'title equal without the series name'
        when score = 2 and one.main_key = other.main_key then 'same main title, other subtitle'
        else (array['title differs', 'title partly alike', 'title alike'])[score + 1]
    end;
end
$$;
comment on function enrichment.explain_title(enrichment.title_parts, enrichment.title_parts, integer, text) is
'What a title score says to a reader; ours is the first side, the candidate the other.';

create function enrichment.explain_match(
    one_title enrichment.title_parts, other_title enrichment.title_parts,
    one_authors enrichment.author_parts, other_authors enrichment.author_parts, isbn_score integer
)
returns jsonb
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    title integer := enrichment.title_score(one_title, other_title);
    author integer := enrichment.author_score(one_authors, other_authors);
    veto text := case when title > 0 then enrichment.title_veto(one_title, other_title) end;
begin
    return jsonb_build_object(
        'sentence', concat_ws(
            ', ', case when explain_match.isbn_score >= 4 then 'same ISBN' end,
            enrichment.explain_title(one_title, other_title, title, veto),
            coalesce(
                (array['other author', 'author of the same last name', 'author alike', 'author equal'])[author + 1], 'author not named'
            )
        ),
        'parts', jsonb_build_object(
            'title', jsonb_build_object(
                'score', title, 'ours', jsonb_strip_nulls(to_jsonb(one_title)), 'theirs', jsonb_strip_nulls(to_jsonb(other_title)),
                'veto', case veto when 'series' then 'volume' when 'unstated' then 'volume' else veto end
            ),
            'author', jsonb_build_object('score', author, 'ours', one_authors.names, 'theirs', other_authors.names),
            'isbn', jsonb_build_object('score', explain_match.isbn_score)
        )
    );
end
$$;
comment on function enrichment.explain_match(
    enrichment.title_parts, enrichment.title_parts, enrichment.author_parts, enrichment.author_parts, integer
) is 'One sentence a reader understands, and every part with its value and score: {"sentence", "parts": {"title", "author", "isbn"}}.';
