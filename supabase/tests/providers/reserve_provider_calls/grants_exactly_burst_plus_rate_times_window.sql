-- Whatever the pattern of asking, grants over any window stay within burst + rate x window, and no call that is due is lost.
begin;
select plan(2);

select tests.switch_on();
update enrichment.providers set rate_per_second = 0.5, burst_size = 4, tokens = 4, refilled_at = clock_timestamp() where provider = 'openlibrary';

-- Three hundred askings, 0 to 3 s apart, for 1 to 5 calls each; the gaps are made by moving the bucket's clock back.
create temp table grants (asked_at numeric, answered_at numeric, granted integer);
do $$
declare
    began timestamptz := clock_timestamp();
    moved numeric := 0;
    gap numeric;
    asked numeric;
    got integer;
begin
    for asking in 1..300 loop
        gap := (asking * 7 % 13) * 0.25;
        update enrichment.providers set refilled_at = refilled_at - make_interval(secs => gap::double precision) where provider = 'openlibrary';
        moved := moved + gap;
        asked := moved + extract(epoch from clock_timestamp() - began);
        select r.granted into got from public.reserve_provider_calls('openlibrary', 1 + asking % 5) as r;
        insert into grants values (asked, moved + extract(epoch from clock_timestamp() - began), got);
    end loop;
end
$$;

select is_empty(
    $$ select 1
    from (select g.asked_at, sum(g.granted) over (order by g.asked_at) - g.granted as before from grants as g) as opened
    join (select g.answered_at, sum(g.granted) over (order by g.asked_at) as until
        from grants as g) as closed on closed.answered_at > opened.asked_at
    where closed.until - opened.before > 4 + 0.5 * (closed.answered_at - opened.asked_at) $$,
    'over any window'
);
select ok(
    (select sum(g.granted) + p.tokens + 0.5 >= 4 + 0.5 * (max(g.asked_at) - min(g.answered_at))
    from grants as g cross join enrichment.providers as p where p.provider = 'openlibrary' group by p.tokens),
    'what was not granted is still in the bucket, to half a call'
);

select * from finish();
rollback;
