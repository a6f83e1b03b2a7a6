-- Fields a reader has locked: enrichment never fills them, from the moment the lock is confirmed.

create type enrichment.field_lock as (work_id uuid, edition_id uuid, field text);
comment on type enrichment.field_lock is 'A field that enrichment leaves alone.';
comment on column enrichment.field_lock.edition_id is 'Null: it is a field of the work.';
comment on column enrichment.field_lock.field is 'work.cover_url, edition.publisher …';

create table enrichment.field_locks (
    entity_id uuid not null,
    field text not null,
    locked_by uuid,
    locked_at timestamptz not null default now(),
    primary key (entity_id, field)
);
alter table enrichment.field_locks enable row level security;
revoke all on enrichment.field_locks from public, anon, authenticated, service_role;

comment on table enrichment.field_locks is 'Fields of a work or an edition that are never filled.';
comment on column enrichment.field_locks.entity_id is 'The work for work.* fields, the edition for edition.* fields.';

create function enrichment.refuse_unknown_fields(work_id uuid, fields text[], edition_id uuid)
returns void
language plpgsql stable set search_path = ''
as $$
begin
    if not exists (select 1 from public.works as w where w.id = refuse_unknown_fields.work_id) then
        perform enrichment.refuse('PT404', format('no work %s', refuse_unknown_fields.work_id), 'work_id is an id of public.works');
    end if;
    perform enrichment.refuse_foreign_work(refuse_unknown_fields.work_id);
    if exists (
        select 1 from unnest(refuse_unknown_fields.fields) as f
        where f is null or not enrichment.current_values(null::public.works, null::public.editions) ? f
            or (f like 'edition.%' and not exists (
                select 1 from public.editions as e
                where e.id = refuse_unknown_fields.edition_id and e.work_id = refuse_unknown_fields.work_id
            ))
    ) then
        perform enrichment.refuse(
            'PT422', 'a field has no such name, or its edition is not one of this work',
            'use work.cover_url, edition.publisher …; edition fields need edition_id'
        );
    end if;
end
$$;
comment on function enrichment.refuse_unknown_fields(uuid, text[], uuid) is
'PT404 for an unknown work, PT403 for one that is not in the own library, PT422 for a field that neither it nor this edition of it has.';

create function enrichment.list_locks(work_id uuid, edition_id uuid)
returns setof enrichment.field_lock
language sql stable set search_path = ''
as $$
    select list_locks.work_id, case when l.entity_id <> list_locks.work_id then l.entity_id end, l.field
    from enrichment.field_locks as l
    where l.entity_id in (list_locks.work_id, list_locks.edition_id)
    order by l.field
$$;
comment on function enrichment.list_locks(uuid, uuid) is 'The locks of a work, and of one of its editions.';

create function enrichment.lock_fields_impl(work_id uuid, fields text[], edition_id uuid)
returns setof enrichment.field_lock
language plpgsql security definer set search_path = ''
as $$
begin
    perform enrichment.refuse_unknown_fields(lock_fields_impl.work_id, lock_fields_impl.fields, lock_fields_impl.edition_id);
    -- A batch that is about to fill the field goes first, so that nothing fills it once the lock is confirmed.
    perform 1 from public.works as w where w.id = lock_fields_impl.work_id for no key update;
    perform 1 from public.editions as e where e.id = lock_fields_impl.edition_id for no key update;
    insert into enrichment.field_locks (entity_id, field, locked_by)
    select case when f like 'work.%' then lock_fields_impl.work_id else lock_fields_impl.edition_id end, f, enrichment.acting_reader()
    from unnest(lock_fields_impl.fields) as f
    order by 1, 2
    on conflict do nothing;
    return query select * from enrichment.list_locks(lock_fields_impl.work_id, lock_fields_impl.edition_id);
end
$$;

create function enrichment.unlock_fields_impl(work_id uuid, fields text[], edition_id uuid)
returns setof enrichment.field_lock
language plpgsql security definer set search_path = ''
as $$
begin
    perform enrichment.refuse_unknown_fields(unlock_fields_impl.work_id, unlock_fields_impl.fields, unlock_fields_impl.edition_id);
    with freed as (
        select l.entity_id, l.field
        from enrichment.field_locks as l
        where l.field = any(unlock_fields_impl.fields)
            and l.entity_id = case when l.field like 'work.%' then unlock_fields_impl.work_id else unlock_fields_impl.edition_id end
        order by l.entity_id, l.field
        for update
    )

    delete from enrichment.field_locks as l
    using freed
    where l.entity_id = freed.entity_id and l.field = freed.field;
    return query select * from enrichment.list_locks(unlock_fields_impl.work_id, unlock_fields_impl.edition_id);
end
$$;
