-- Who is asking, and what may that person touch. Verbs run as their owner, so each asks here first: readers act on the works of their
-- own library, the service role on all.

create function enrichment.current_reader()
returns uuid
language plpgsql stable set search_path = ''
as $$
begin
    if auth.uid() is null then
        perform enrichment.refuse('PT403', 'no reader is signed in', 'send the reader''s JWT');
    end if;
    return auth.uid();
end
$$;
comment on function enrichment.current_reader() is 'The signed-in reader; PT403 where there is none.';

create function enrichment.acting_reader()
returns uuid
language plpgsql stable set search_path = ''
as $$
begin
    return case
        when auth.role() = 'authenticated' or current_setting('role', true) in ('authenticated', 'anon') then enrichment.current_reader()
    end;
end
$$;
comment on function enrichment.acting_reader() is 'The signed-in reader; null for the service role and the database''s owner, who may act on every row.';

create function enrichment.refuse_foreign_work(work_id uuid)
returns void
language plpgsql stable set search_path = ''
as $$
declare
    reader uuid := enrichment.acting_reader();
begin
    if reader is not null and not exists (
        select 1 from public.library_items as i where i.user_id = reader and i.work_id = refuse_foreign_work.work_id
    ) then
        perform enrichment.refuse(
            'PT403', format('work %s is not in your library', refuse_foreign_work.work_id), 'add it to the library first'
        );
    end if;
end
$$;
comment on function enrichment.refuse_foreign_work(uuid) is 'PT403 where a reader acts on a work that is not in the own library.';

create function enrichment.refuse_foreign_works(work_ids uuid[])
returns void
language plpgsql stable set search_path = ''
as $$
declare
    unknown_id uuid;
begin
    select asked.id into unknown_id
    from unnest(refuse_foreign_works.work_ids) as asked (id)
    where not exists (select 1 from public.works as w where w.id = asked.id)
    limit 1;
    if found then
        perform enrichment.refuse('PT404', format('no work %s', unknown_id), 'work_ids are ids of public.works');
    end if;
    perform enrichment.refuse_foreign_work(asked.id) from unnest(refuse_foreign_works.work_ids) as asked (id);
end
$$;
comment on function enrichment.refuse_foreign_works(uuid[]) is 'PT404 for the first work that does not exist, PT403 for one that is not in the reader''s library.';

create function enrichment.is_on_own_shelf(work_id uuid)
returns boolean
language plpgsql stable security definer set search_path = ''
as $$
begin
    return exists (select 1 from public.library_items as i where i.work_id = is_on_own_shelf.work_id and i.user_id = auth.uid());
end
$$;
comment on function enrichment.is_on_own_shelf(uuid) is
'Whether a work is in the signed-in reader''s library. Policies ask it, so it looks with its owner''s eyes: a host may let readers see library_items or not.';
