-- Over books that are new, waiting, in a worker's hands, in review and closed: every table of ours and the host's is what it was.
begin;
select plan(3);

create function tests.fingerprint()
returns table (name text, "rows" text)
language plpgsql
as $$
begin
    for name in
        select c.oid::regclass::text from pg_class as c
        where c.relkind = 'r' and c.relnamespace in ('public'::regnamespace, 'enrichment'::regnamespace)
    loop
        execute format('select md5(coalesce(string_agg(md5(t::text), '''' order by t::text), '''')) from %s as t', name) into "rows";
        return next;
    end loop;
end
$$;

select tests.switch_on();
select tests.create_book('Closed') as closed \gset
select tests.enrich(:'closed', null);
select tests.create_book('Held') as held \gset
select tests.enqueue(:'held');
select queue_id from tests.claim_one() \gset held_
select tests.create_book('In review', isbn13 => '9780439023481') as reviewed \gset
select tests.enrich(:'reviewed', tests.search_reply('Other', 'Other', '9780439023481')) as review_row \gset
select tests.create_book('Waiting') as waiting, tests.create_book('New', isbn13 => '9780316015844') as new_one \gset
select tests.enqueue(:'waiting');
select tests.store_lookup('isbn', '9780316015844', tests.search_reply('New', isbn13 => '9780316015844'));
update public.works set title = 'Renamed since' where id = :'waiting';
create temp table before as select * from tests.fingerprint();

create temp table foretold as select * from public.preview_enrichment(array(select id from public.works));
create temp table explained as select e.* from public.works as w cross join lateral public.explain_enrichment(w.id) as e;

select results_eq(
    'select w.title::text, f.status::text from foretold as f join public.works as w on w.id = f.work_id order by w.title',
    $$ values ('Closed', null), ('Held', 'pending'), ('In review', 'needs_review'), ('New', 'completed'), ('Renamed since', 'pending') $$, 'all five are foretold'
);
select isnt_empty('select 1 from explained', 'some are explained');
select results_eq('select * from tests.fingerprint() order by 1', 'select * from before order by 1', 'and no row of any table is another');

select * from finish();
rollback;
