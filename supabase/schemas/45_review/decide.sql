-- What a person decides about one row in review: which proposals are written, or that it is another book. What was left unticked or
-- turned away does not come again unasked.

create type enrichment.review_outcome as (
    queue_id uuid, status enrichment.queue_status, fields_applied text [], fields_skipped text []
);
comment on type enrichment.review_outcome is 'What a person''s decision about a row wrote.';
comment on column enrichment.review_outcome.fields_applied is 'Fields that were filled.';
comment on column enrichment.review_outcome.fields_skipped is 'Ticked, but filled or locked meanwhile.';

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

create function enrichment.reject_candidates(reviewed public.enrichment_queue, candidates text[], is_dismissed boolean)
returns void
language sql set search_path = ''
as $$
    insert into enrichment.rejected_candidates (work_id, provider, candidate_key, is_dismissed, rejected_by)
    select distinct
        reviewed.work_id, split_part(candidate, ':', 1), substr(candidate, position(':' in candidate) + 1), reject_candidates.is_dismissed,
        enrichment.acting_reader()
    from unnest(reject_candidates.candidates) as candidate
    order by 1, 2, 3
    on conflict (work_id, provider, candidate_key) do update
    set is_dismissed = true, rejected_by = excluded.rejected_by, rejected_at = excluded.rejected_at
    where excluded.is_dismissed and not rejected_candidates.is_dismissed
$$;
comment on function enrichment.reject_candidates(public.enrichment_queue, text[], boolean) is
'Candidates of a row in review that are not proposed for its work again: dismissed as wrong, or passed over for another.';

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
            'PT422', format('queue row %s proposes no %s', reviewed.id, (
                select coalesce(t, 'null') from unnest(ticked) as t where (proposals ? t) is not true limit 1
            )),
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
    left join enrichment.wanted_fields(array[reviewed.id]) as gaps on true;

    perform enrichment.write_values(offers, 'approved', enrichment.acting_reader());
    insert into enrichment.filled_fields (entity_id, field, provider, candidate_key)
    select case when o.field like 'work.%' then reviewed.work_id else reviewed.edition_id end, o.field, o.provider, o.work_key
    from unnest(offers) as o
    where not o.field = any(ticked) and (o.field like 'work.%' or reviewed.edition_id is not null)
    on conflict do nothing;
    perform enrichment.reject_candidates(reviewed, array_remove(rivals, coalesce(approve_enrichment_impl.candidate, rivals[1])), false);

    update public.enrichment_queue as q
    set status = 'completed', finished_at = now(), updated_at = now(), fields_applied = q.fields_applied || applied,
        cover_applied = q.cover_applied or 'work.cover_url' = any(applied)
    where q.id = reviewed.id;
    update public.works as w set enrichment_status = 'completed', last_enriched_at = now() where w.id = reviewed.work_id;

    return query
    select reviewed.id, 'completed'::enrichment.queue_status, applied,
        array(select unnest(ticked) except select unnest(applied) order by 1);
end
$$;

create function enrichment.dismiss_enrichment_impl(queue_id uuid)
returns setof enrichment.review_outcome
language plpgsql security definer set search_path = ''
as $$
declare
    reviewed public.enrichment_queue := enrichment.lock_review(dismiss_enrichment_impl.queue_id);
    reader uuid := enrichment.acting_reader();
begin
    perform enrichment.reject_candidates(reviewed, array(
        select p.value ->> 'candidate' from jsonb_each(reviewed.match_details -> 'proposals') as p
        union
        select jsonb_array_elements_text(reviewed.match_details -> 'rivals')
    ), true);

    update public.enrichment_queue as q set status = 'skipped', finished_at = now(), updated_at = now() where q.id = reviewed.id;
    update public.works as w set enrichment_status = 'skipped', last_enriched_at = now() where w.id = reviewed.work_id;
    insert into public.enrichment_audit_log (enrichment_queue_id, work_id, edition_id, import_id, action, confidence, match_details, actor)
    values (
        reviewed.id, reviewed.work_id, reviewed.edition_id, reviewed.import_id, 'dismissed', reviewed.confidence, reviewed.match_details,
        reader
    );
    return query select reviewed.id, 'skipped'::enrichment.queue_status, '{}'::text[], '{}'::text[];
end
$$;
