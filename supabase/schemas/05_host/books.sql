-- What we ask the host's tables again and again: which edition of a work a reader means, and who wrote it.

create function enrichment.choose_editions(work_ids uuid[], reader uuid)
returns table (work_id uuid, edition_id uuid)
language sql stable set search_path = ''
as $$
    select distinct on (e.work_id) e.work_id, e.id
    from public.editions as e
    left join public.library_items as i
        on i.work_id = e.work_id and i.user_id = choose_editions.reader and i.preferred_edition_id = e.id
    where e.work_id = any(choose_editions.work_ids)
    order by e.work_id, i.id is null, coalesce(e.isbn13, '') = '', coalesce(e.isbn10, '') = '', e.created_at, e.id
$$;
comment on function enrichment.choose_editions(uuid[], uuid) is
'The edition of each work whose fields are wanted: the one the reader prefers, else one that has an ISBN, else the oldest.';

create function enrichment.author_names(work_id uuid)
returns text[]
language plpgsql stable set search_path = ''
as $$
begin
    return array(
        select a.name::text from public.work_authors as wa join public.authors as a on a.id = wa.author_id
        where wa.work_id = author_names.work_id order by a.name
    );
end
$$;
comment on function enrichment.author_names(uuid) is 'The authors of a work, by name.';
