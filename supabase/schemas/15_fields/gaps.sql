-- Which fields of a work and its edition are empty, and which of those may be filled. The queue (40_queue/lookups) asks this for its rows,
-- the shelf (70_reading/library) for its lines.

create function enrichment.empty_fields(work public.works, edition public.editions)
returns text[]
language plpgsql immutable set search_path = ''
as $$
begin
    return array_remove(array[
        case when coalesce(work.default_cover_url, '') = '' then 'work.cover_url' end,
        case when coalesce(work.description, '') = '' then 'work.description' end,
        case when coalesce(work.first_publish_year, 0) = 0 then 'work.first_publish_year' end
    ] || case when edition.id is not null then array[
        case when coalesce(edition.publisher, '') = '' then 'edition.publisher' end,
        case when edition.publish_date is null then 'edition.publish_date' end,
        case when coalesce(edition.isbn10, '') = '' and coalesce(edition.isbn13, '') not like '979%' then 'edition.isbn10' end,
        case when coalesce(edition.isbn13, '') = '' then 'edition.isbn13' end,
        case when coalesce(edition.language, '') = '' then 'edition.language' end,
        case when coalesce(edition.format, '') = '' then 'edition.format' end,
        case when edition.total_pages is null and coalesce(edition.format, '') not ilike '%audio%' then 'edition.total_pages' end,
        case when edition.total_audio_minutes is null and edition.format ilike '%audio%' then 'edition.total_audio_minutes' end
    ] else '{}' end, null);
end
$$;
comment on function enrichment.empty_fields(public.works, public.editions) is
'The fields enrichment may fill that are empty: pages for what is read, minutes for what is heard, an ISBN-10 only where one can exist.';

create function enrichment.missing_fields(work public.works, edition public.editions)
returns text[]
language plpgsql stable set search_path = ''
as $$
declare
    gaps text[] := enrichment.empty_fields(work, edition);
begin
    -- Few books have a lock, and a shelf of thousands is asked about at once: sorting locks out only there is three times as quick.
    if exists (select 1 from enrichment.field_locks as l where l.entity_id in (work.id, edition.id)) then
        gaps := array(
            select gap
            from unnest(gaps) as gap
            where not exists (
                select 1 from enrichment.field_locks as l
                where l.field = gap and l.entity_id = case when gap like 'work.%' then work.id else edition.id end
            )
        );
    end if;
    return gaps;
end
$$;
comment on function enrichment.missing_fields(public.works, public.editions) is 'The empty fields of a book that nobody locked.';
