-- Which of the empty fields of a work and its edition may be filled. The queue (40_queue/lookups) asks this for its rows, the shelf
-- (70_reading/library) for its lines.

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
