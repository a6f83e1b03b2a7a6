-- The message of a refusal says what the setting takes, so that nobody has to look up a constraint.
begin;
select plan(5);

create function pg_temp.refusal(changes jsonb)
returns text
language plpgsql
as $$
begin
    perform public.configure_enrichment(refusal.changes);
    return null;
exception
    when sqlstate 'PT422' then
        return sqlerrm;
end
$$;

select is(
    pg_temp.refusal('{"batch_size": 0}'), 'a setting cannot take that value: it takes batch_size >= 1 and batch_size <= 100', 'from where to where'
);
select is(
    pg_temp.refusal('{"cover_mode": "original"}'), $$a setting cannot take that value: it takes cover_mode in ('hotlink', 'thumbnail')$$, 'which words'
);
select is(
    pg_temp.refusal('{"cover_hosts": ["books.google.com"]}'), 'a setting cannot take that value: google covers are never stored', 'a rule that has a name'
);
select matches(pg_temp.refusal('{"batch_size": "many"}'), 'invalid input syntax for type integer: "many"', 'a word for a number');
select matches(pg_temp.refusal('{"batch_size": null}'), 'null value in column "batch_size"', 'nothing');

select * from finish();
rollback;
