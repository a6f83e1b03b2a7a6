-- Each job's command is executed as pg_cron would, by the role that owns the job.
begin;
select plan(3);

create function pg_temp.run(command text)
returns void
language plpgsql
as $$
begin
    execute run.command;
end
$$;

select is_empty($$ select 1 from cron.job as j where j.jobname like 'enrichment-%' and j.username <> current_user $$, 'the jobs are ours');
select tests.switch_on();
select tests.enqueue(tests.create_book(isbn13 => '9780439023481')) as row \gset
select tests.store_lookup('isbn', '9780439023481', null), tests.store_lookup('title', 'hunger games | suzanne collins', null);

select is_empty(
    $$ select 1 from cron.job as j cross join lateral pg_temp.run(j.command) as ran where j.jobname like 'enrichment-%' and ran is null $$,
    'each runs without an error'
);
select is((tests.queue_row(:'row')).status, 'skipped', 'and the sweep among them did its work');

select * from finish();
rollback;
