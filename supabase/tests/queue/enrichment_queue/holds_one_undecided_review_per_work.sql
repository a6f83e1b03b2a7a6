-- A work has at most one row that waits for a decision.
begin;
select plan(2);

select tests.create_book() as work \gset
insert into public.enrichment_queue (work_id, trigger_source) values (:'work', 'manual_bulk');
update public.enrichment_queue set status = 'in_progress', claim_token = gen_random_uuid(), wait_reason = null where work_id = :'work';
update public.enrichment_queue set status = 'needs_review', claim_token = null where work_id = :'work';
insert into public.enrichment_queue (work_id, trigger_source) values (:'work', 'manual_bulk') returning id as second \gset
update public.enrichment_queue set status = 'in_progress', claim_token = gen_random_uuid(), wait_reason = null where id = :'second';

select throws_like(
    format($$ update public.enrichment_queue set status = 'needs_review', claim_token = null where id = %L $$, :'second'),
    '%queue_one_undecided_review_per_work%', 'a second review is refused'
);
update public.enrichment_queue set status = 'completed', finished_at = now() where work_id = :'work' and status = 'needs_review';
select lives_ok(
    format($$ update public.enrichment_queue set status = 'needs_review', claim_token = null where id = %L $$, :'second'),
    'once the first is decided it is not'
);

select * from finish();
rollback;
