-- The private schema everything of ours lives in but the verbs, the queue and the audit log. Nobody may do anything here until a later
-- line grants it: each room closes its tables as it makes them, and 90_api closes all functions at once before it opens the verbs.
-- Functions that join many tables say `set jit = off`: compiling such a plan took 1–2 s, running it 20 ms.

create schema enrichment;
revoke all on schema enrichment from public, anon, authenticated, service_role;
grant usage on schema enrichment to authenticated, service_role;

comment on schema enrichment is
'Private side of book enrichment: settings, providers, parsed forms, the functions behind the public verbs, and views for the dashboard.';
