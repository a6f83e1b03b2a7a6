-- Generated from supabase/data/fields.tsv by `make generated`: the fields that may be filled, and whatever treats all of them alike.
-- Which of them a book lacks, what it has, how they are written where they are empty and put back, and what a candidate brings.

create function enrichment.fields()
returns table (field text, table_name text, column_name text, label text, kind text, known_to text[])
language sql immutable parallel safe set search_path = ''
as $$
    values
{registry}
$$;
comment on function enrichment.fields() is
'The fields that enrichment may fill, in the order in which they are shown: the column each is kept in, what people call it, what kind of value it is, and which of our providers know it.';

create function enrichment.empty_fields(work public.works, edition public.editions)
returns text[]
language plpgsql immutable set search_path = ''
as $$
begin
    return array_remove(array[
{empty_in_work}
    ] || case when edition.id is not null then array[
{empty_in_edition}
    ] else '{{}}' end, null);
end
$$;
comment on function enrichment.empty_fields(public.works, public.editions) is
'The fields enrichment may fill that are empty: pages for what is read, minutes for what is heard, an ISBN-10 only where one can exist.';

create function enrichment.current_values(work public.works, edition public.editions)
returns jsonb
language plpgsql stable set search_path = ''
as $$
begin
    return jsonb_build_object(
{current}
    );
end
$$;
comment on function enrichment.current_values(public.works, public.editions) is 'Every field enrichment may fill, as it is now.';

create function enrichment.same_value(field text, one text, other text)
returns boolean
language plpgsql stable set search_path = ''
as $$
begin
    return case
{same}
        else same_value.one = same_value.other
    end;
end
$$;
comment on function enrichment.same_value(text, text, text) is 'Whether two values of a field are equal, compared as the field''s column would.';

create type enrichment.field_value as (entity_id uuid, field text, value text);
comment on type enrichment.field_value is 'A value for a field of one work or edition.';

create function enrichment.fill_fields("values" enrichment.field_value[])
returns void
language plpgsql strict set search_path = ''
as $$
begin
{fill}
end
$$;
comment on function enrichment.fill_fields(enrichment.field_value[]) is
'Writes values into works and editions where the field is still empty at that moment. The caller holds the locks under which they were offered.';

create function enrichment.restore_fields("values" enrichment.field_value[])
returns void
language plpgsql strict set search_path = ''
as $$
begin
{restore}
end
$$;
comment on function enrichment.restore_fields(enrichment.field_value[]) is
'Puts values into works and editions whatever stands there, also null. The caller holds the locks under which that was allowed.';

create type enrichment.candidate_fields as (
    work_key text, edition_key text, title text, subtitle text, author_names text [], author_ids text [], isbns text [],
{candidate}
);
comment on type enrichment.candidate_fields is
'One book as a provider describes it, cleaned to what our columns hold. isbns are 13-digit keys; author_ids are the provider''s own.';

create function enrichment.work_values(candidate enrichment.candidate_fields)
returns jsonb
language plpgsql stable parallel safe set search_path = ''
as $$
begin
    return jsonb_strip_nulls(jsonb_build_object(
{candidate_work}
    ));
end
$$;
comment on function enrichment.work_values(enrichment.candidate_fields) is 'What a candidate knows of the work: {{"work.cover_url": "…"}}.';

create function enrichment.edition_values(candidate enrichment.candidate_fields)
returns jsonb
language plpgsql stable parallel safe set search_path = ''
as $$
begin
    return jsonb_strip_nulls(jsonb_build_object(
{candidate_edition}
    ));
end
$$;
comment on function enrichment.edition_values(enrichment.candidate_fields) is
'What a candidate knows of the edition, but for its ISBNs: {{"edition.publisher": "…"}}.';
