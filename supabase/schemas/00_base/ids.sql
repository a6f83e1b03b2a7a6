-- Ids that grow with time, so that rows which are made together lie together in every index; and ids that came as text.

create function enrichment.uuid_v7()
returns uuid
language sql volatile parallel safe set search_path = ''
as $$
    select (lpad(to_hex((extract(epoch from clock_timestamp()) * 1000)::bigint), 12, '0') || '7' || substr(random_hex, 14))::uuid
    from replace(gen_random_uuid()::text, '-', '') as random_hex
$$;
comment on function enrichment.uuid_v7() is 'A time-ordered id (RFC 9562, version 7): new rows land at the end of every index.';

create function enrichment.uuid_of(id text)
returns uuid
language sql immutable parallel safe set search_path = ''
as $$
    select case when uuid_of.id ~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$' then uuid_of.id::uuid end
$$;
comment on function enrichment.uuid_of(text) is 'An id in the one form that is documented; null for anything else, also for what Postgres would take besides.';
