-- What a person decides: approve what was proposed, dismiss it for good, lock a field. Both lanes leave rows here as needs_review with
-- their proposals in match_details; a row leaves as completed or skipped. Emptiness is checked again at the moment of writing.

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
revoke all on function enrichment.acting_reader() from public, anon, authenticated, service_role;

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
        perform enrichment.refuse('PT403', format('work %s is not in your library', refuse_foreign_work.work_id), 'add it to the library first');
    end if;
end
$$;
comment on function enrichment.refuse_foreign_work(uuid) is 'PT403 where a reader acts on a work that is not in the own library.';
revoke all on function enrichment.refuse_foreign_work(uuid) from public, anon, authenticated, service_role;

create function enrichment.lock_review(queue_id uuid)
returns public.enrichment_queue
language plpgsql set search_path = ''
as $$
declare
    row_in_review public.enrichment_queue;
begin
    select * into row_in_review from public.enrichment_queue as q where q.id = lock_review.queue_id for update;
    if not found then
        perform enrichment.refuse('PT404', format('no queue row %s', lock_review.queue_id), 'see list_enrichment()');
    end if;
    perform enrichment.refuse_foreign_work(row_in_review.work_id);
    if row_in_review.status <> 'needs_review' then
        perform enrichment.refuse(
            'PT409', format('queue row %s is %s, not needs_review', row_in_review.id, row_in_review.status), 'reload the review list'
        );
    end if;
    perform enrichment.lock_catalogue(array[row_in_review.id]);
    return row_in_review;
end
$$;
comment on function enrichment.lock_review(uuid) is 'Locks a row that waits for review, with its work and edition; PT404, PT403 or PT409 otherwise.';
revoke all on function enrichment.lock_review(uuid) from public, anon, authenticated, service_role;

create function enrichment.proposals_of(match_details jsonb, candidate text)
returns jsonb
language plpgsql immutable set search_path = ''
as $$
begin
    -- The best rival is what is proposed anyway; each other one keeps its values with it.
    if proposals_of.candidate is null or proposals_of.candidate = proposals_of.match_details #>> '{rivals,0}' then
        return coalesce(proposals_of.match_details -> 'proposals', '{}');
    end if;
    if proposals_of.match_details -> 'rivals' ? proposals_of.candidate then
        return (
            select coalesce(jsonb_object_agg(v.key, c.value - 'values' || jsonb_build_object('value', v.value)), '{}')
            from jsonb_array_elements(proposals_of.match_details -> 'candidates') as c
            cross join lateral jsonb_each(c.value -> 'values') as v
            where c.value ->> 'candidate' = proposals_of.candidate
        );
    end if;
    return (
        select jsonb_object_agg(p.key, p.value)
        from jsonb_each(proposals_of.match_details -> 'proposals') as p
        where p.value ->> 'candidate' = proposals_of.candidate
    );
end
$$;
comment on function enrichment.proposals_of(jsonb, text) is
'What a row in review would write if that candidate (provider:work_key, null: the best) is chosen: {field: {"value", "provider", "work_key", …}}. Null for a candidate that was not shown for a choice.';
revoke all on function enrichment.proposals_of(jsonb, text) from public, anon, authenticated, service_role;

create function enrichment.turn_away(reviewed public.enrichment_queue, candidates text[], is_dismissed boolean)
returns void
language sql set search_path = ''
as $$
    insert into enrichment.rejected_candidates (work_id, provider, candidate_key, is_dismissed, rejected_by)
    select distinct
        reviewed.work_id, split_part(candidate, ':', 1), substr(candidate, position(':' in candidate) + 1), turn_away.is_dismissed,
        enrichment.acting_reader()
    from unnest(turn_away.candidates) as candidate
    order by 1, 2, 3
    on conflict (work_id, provider, candidate_key) do update
    set is_dismissed = true, rejected_by = excluded.rejected_by, rejected_at = excluded.rejected_at
    where excluded.is_dismissed and not rejected_candidates.is_dismissed
$$;
comment on function enrichment.turn_away(public.enrichment_queue, text[], boolean) is
'Candidates of a row in review that are not proposed for its work again: dismissed as wrong, or passed over for another.';
revoke all on function enrichment.turn_away(public.enrichment_queue, text[], boolean) from public, anon, authenticated, service_role;

create function enrichment.approve_enrichment_impl(queue_id uuid, fields text[], candidate text)
returns setof enrichment.review_outcome
language plpgsql security definer set search_path = '' set jit = off
as $$
declare
    reviewed public.enrichment_queue := enrichment.lock_review(approve_enrichment_impl.queue_id);
    proposals jsonb := enrichment.proposals_of(reviewed.match_details, approve_enrichment_impl.candidate);
    ticked text[] := coalesce(approve_enrichment_impl.fields, (select array_agg(name) from jsonb_object_keys(proposals) as name), '{}');
    rivals text[] := array(select jsonb_array_elements_text(reviewed.match_details -> 'rivals'));
    offers enrichment.offered_value[];
    applied text[];
begin
    if proposals is null then
        perform enrichment.refuse(
            'PT422', format('queue row %s shows no candidate %s to choose', reviewed.id, approve_enrichment_impl.candidate),
            'name one of match_details.rivals, or send null for the best'
        );
    end if;
    if exists (select 1 from unnest(ticked) as t where (proposals ? t) is not true) then
        perform enrichment.refuse(
            'PT422', format('queue row %s proposes no %s', reviewed.id, (select coalesce(t, 'null') from unnest(ticked) as t where (proposals ? t) is not true limit 1)),
            'name fields of match_details.proposals, or of the candidate''s values; null for all'
        );
    end if;

    select
        array_agg(row(
            reviewed.id, p.key, p.value ->> 'value', p.value ->> 'provider', p.value ->> 'work_key', p.value -> 'source_record',
            (p.value ->> 'confidence')::enrichment.confidence, p.key = any(ticked) and p.key = any(gaps.fields), false
        )::enrichment.offered_value),
        coalesce(array_agg(p.key order by p.key) filter (where p.key = any(ticked) and p.key = any(gaps.fields)), '{}')
    into offers, applied
    from jsonb_each(proposals) as p
    left join enrichment.wanted_fields as gaps on gaps.queue_id = reviewed.id;

    perform enrichment.write_values(offers, 'approved', enrichment.acting_reader());
    insert into enrichment.filled_fields (entity_id, field, provider, candidate_key)
    select case when o.field like 'work.%' then reviewed.work_id else reviewed.edition_id end, o.field, o.provider, o.work_key
    from unnest(offers) as o
    where not o.field = any(ticked) and (o.field like 'work.%' or reviewed.edition_id is not null)
    on conflict do nothing;
    perform enrichment.turn_away(reviewed, array_remove(rivals, coalesce(approve_enrichment_impl.candidate, rivals[1])), false);

    update public.enrichment_queue as q
    set status = 'completed', finished_at = now(), updated_at = now(), fields_applied = q.fields_applied || applied,
        cover_applied = q.cover_applied or 'work.cover_url' = any(applied)
    where q.id = reviewed.id;
    update public.works as w set enrichment_status = 'completed', last_enriched_at = now() where w.id = reviewed.work_id;

    return query
    select reviewed.id, 'completed'::enrichment.queue_status, applied, array(select unnest(ticked) except select unnest(applied) order by 1);
end
$$;
revoke all on function enrichment.approve_enrichment_impl(uuid, text[], text) from public, anon, authenticated, service_role;
grant execute on function enrichment.approve_enrichment_impl(uuid, text[], text) to authenticated, service_role;

create function public.approve_enrichment(queue_id uuid, fields text[] default null, candidate text default null)
returns setof enrichment.review_outcome
language sql set search_path = ''
as $$
    select * from enrichment.approve_enrichment_impl(approve_enrichment.queue_id, approve_enrichment.fields, approve_enrichment.candidate)
$$;
comment on function public.approve_enrichment(uuid, text[], text) is
'Writes the named proposals (null: all) of a row in review where the field is still empty, and closes it. Where match_details.rivals shows several books, candidate (provider:work_key; null: the best) chooses one and writes its values; the others are passed over for this work. fields_skipped had been filled or locked meanwhile; what was left unticked is not proposed again from that candidate. PT404, PT403, PT409, PT422.';
revoke all on function public.approve_enrichment(uuid, text[], text) from public, anon, authenticated, service_role;
grant execute on function public.approve_enrichment(uuid, text[], text) to authenticated, service_role;

create function enrichment.dismiss_enrichment_impl(queue_id uuid)
returns setof enrichment.review_outcome
language plpgsql security definer set search_path = ''
as $$
declare
    reviewed public.enrichment_queue := enrichment.lock_review(dismiss_enrichment_impl.queue_id);
    reader uuid := enrichment.acting_reader();
begin
    perform enrichment.turn_away(reviewed, array(
        select p.value ->> 'candidate' from jsonb_each(reviewed.match_details -> 'proposals') as p
        union
        select jsonb_array_elements_text(reviewed.match_details -> 'rivals')
    ), true);

    update public.enrichment_queue as q set status = 'skipped', finished_at = now(), updated_at = now() where q.id = reviewed.id;
    update public.works as w set enrichment_status = 'skipped', last_enriched_at = now() where w.id = reviewed.work_id;
    insert into public.enrichment_audit_log (enrichment_queue_id, work_id, edition_id, import_id, action, confidence, match_details, actor)
    values (
        reviewed.id, reviewed.work_id, reviewed.edition_id, reviewed.import_id, 'dismissed', reviewed.confidence, reviewed.match_details, reader
    );
    return query select reviewed.id, 'skipped'::enrichment.queue_status, '{}'::text[], '{}'::text[];
end
$$;
revoke all on function enrichment.dismiss_enrichment_impl(uuid) from public, anon, authenticated, service_role;
grant execute on function enrichment.dismiss_enrichment_impl(uuid) to authenticated, service_role;

create function public.dismiss_enrichment(queue_id uuid)
returns setof enrichment.review_outcome
language sql set search_path = ''
as $$
    select * from enrichment.dismiss_enrichment_impl(dismiss_enrichment.queue_id)
$$;
comment on function public.dismiss_enrichment(uuid) is
'Closes a row in review as skipped; the candidates it proposes, rivals included, are never proposed for this work again. PT404, PT403, PT409.';
revoke all on function public.dismiss_enrichment(uuid) from public, anon, authenticated, service_role;
grant execute on function public.dismiss_enrichment(uuid) to authenticated, service_role;

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
                select 1 from public.editions as e where e.id = refuse_unknown_fields.edition_id and e.work_id = refuse_unknown_fields.work_id
            ))
    ) then
        perform enrichment.refuse(
            'PT422', 'a field has no such name, or its edition is not one of this work', 'use work.cover_url, edition.publisher …; edition fields need edition_id'
        );
    end if;
end
$$;
comment on function enrichment.refuse_unknown_fields(uuid, text[], uuid) is
'PT404 for an unknown work, PT403 for one that is not in the own library, PT422 for a field that neither it nor this edition of it has.';
revoke all on function enrichment.refuse_unknown_fields(uuid, text[], uuid) from public, anon, authenticated, service_role;

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
revoke all on function enrichment.list_locks(uuid, uuid) from public, anon, authenticated, service_role;

create function enrichment.lock_fields_impl(work_id uuid, fields text[], edition_id uuid)
returns setof enrichment.field_lock
language plpgsql security definer set search_path = ''
as $$
begin
    perform enrichment.refuse_unknown_fields(lock_fields_impl.work_id, lock_fields_impl.fields, lock_fields_impl.edition_id);
    insert into enrichment.field_locks (entity_id, field, locked_by)
    select case when f like 'work.%' then lock_fields_impl.work_id else lock_fields_impl.edition_id end, f, enrichment.acting_reader()
    from unnest(lock_fields_impl.fields) as f
    order by 1, 2
    on conflict do nothing;
    return query select * from enrichment.list_locks(lock_fields_impl.work_id, lock_fields_impl.edition_id);
end
$$;
revoke all on function enrichment.lock_fields_impl(uuid, text[], uuid) from public, anon, authenticated, service_role;
grant execute on function enrichment.lock_fields_impl(uuid, text[], uuid) to authenticated, service_role;

create function public.lock_fields(work_id uuid, fields text[], edition_id uuid default null)
returns setof enrichment.field_lock
language sql set search_path = ''
as $$
    select * from enrichment.lock_fields_impl(lock_fields.work_id, lock_fields.fields, lock_fields.edition_id)
$$;
comment on function public.lock_fields(uuid, text[], uuid) is
'Locks fields of a work, or of one of its editions, so that enrichment never fills them. Returns all locks of both. PT404, PT403, PT422.';
revoke all on function public.lock_fields(uuid, text[], uuid) from public, anon, authenticated, service_role;
grant execute on function public.lock_fields(uuid, text[], uuid) to authenticated, service_role;

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
revoke all on function enrichment.unlock_fields_impl(uuid, text[], uuid) from public, anon, authenticated, service_role;
grant execute on function enrichment.unlock_fields_impl(uuid, text[], uuid) to authenticated, service_role;

create function public.unlock_fields(work_id uuid, fields text[], edition_id uuid default null)
returns setof enrichment.field_lock
language sql set search_path = ''
as $$
    select * from enrichment.unlock_fields_impl(unlock_fields.work_id, unlock_fields.fields, unlock_fields.edition_id)
$$;
comment on function public.unlock_fields(uuid, text[], uuid) is
'Takes locks of a work, or of one of its editions, away again, whoever set them; a field that has none is no error. Returns the locks that are left. PT404, PT403, PT422.';
revoke all on function public.unlock_fields(uuid, text[], uuid) from public, anon, authenticated, service_role;
grant execute on function public.unlock_fields(uuid, text[], uuid) to authenticated, service_role;
