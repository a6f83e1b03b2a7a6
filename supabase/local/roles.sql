-- The roles of a hosted project, once per cluster. Run by supabase_admin, the superuser that initdb made;
-- passwords are set by stack.py, because they differ from stack to stack. database.sql comes next.

create role anon nologin noinherit;
create role authenticated nologin noinherit;
create role service_role nologin noinherit bypassrls;
create role authenticator login noinherit;
grant anon, authenticated, service_role to authenticator;

-- Owners of what the hosted services bring. Nobody logs in as them here.
create role supabase_auth_admin nologin noinherit createrole;
create role supabase_storage_admin nologin noinherit createrole;

-- What applies the migrations: it may much, but it is not a superuser.
create role postgres login nosuperuser createdb createrole replication bypassrls;
grant anon, authenticated, service_role, authenticator to postgres with admin option;
grant pg_monitor, pg_read_all_data, pg_signal_backend to postgres;

alter role postgres set search_path = "$user", public, extensions;
alter role supabase_admin set search_path = "$user", public, auth, extensions;

-- PostgREST logs in as authenticator and takes over the settings of the role it switches to;
-- service_role has none of its own and so keeps the 8 seconds of authenticator.
alter role anon set statement_timeout = '3s';
alter role authenticated set statement_timeout = '8s';
alter role authenticator set statement_timeout = '8s';
alter role authenticator set lock_timeout = '8s';
