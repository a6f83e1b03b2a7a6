"""A small schema with one of each kind of thing that may change, and edits of it: those that are drafted
whole, and those that are left to a person. `test_drafting.py` makes each of them.
"""

from dataclasses import dataclass

FILES = {
    "00_base/schema": """
-- The schema.

create schema enrichment;
revoke all on schema enrichment from public, anon, authenticated, service_role;
grant usage on schema enrichment to authenticated;
comment on schema enrichment is 'Ours.';

create table enrichment.schema_versions (
    version int, name text, checksum text, works_with int, brought text[]
);

-- What every step locks.
create table public.enrichment_queue ();
create table public.enrichment_audit_log ();
create table enrichment.cover_queue ();
create table enrichment.stored_covers ();

create type enrichment.pair as (one text, two text);
create type enrichment.mood as enum ('good', 'bad');
comment on type enrichment.mood is 'How it is.';
comment on column enrichment.pair.one is 'The first.';
""",
    "10_queue/tables": """
create table enrichment.settings (
    is_only_row boolean primary key default true, batch_size integer not null default 10
);
revoke all on enrichment.settings from public, anon, authenticated, service_role;
comment on table enrichment.settings is 'Numbers.';
insert into enrichment.settings default values;

create table public.queue (id integer primary key, work_id uuid, "position" integer, is_open boolean);
alter table public.queue enable row level security;
revoke all on public.queue from public, anon, authenticated, service_role;
grant select (id, "position") on public.queue to authenticated;
grant select on public.queue to service_role;
comment on column public.queue."position" is 'Its place.';
create index queue_by_work on public.queue (work_id);
comment on index public.queue_by_work is 'For works.';

create table enrichment.old_news (id integer primary key);
""",
    "20_reading/views": """
create function enrichment.is_mine(work_id uuid)
returns boolean language sql stable set search_path = '' as $$
    select is_mine.work_id is not null
$$;
comment on function enrichment.is_mine(uuid) is 'Policies ask it.';
create policy queue_of_mine on public.queue for select to authenticated using (enrichment.is_mine(work_id));
comment on policy queue_of_mine on public.queue is 'Only mine.';

create function enrichment.is_small(number integer)
returns boolean language sql immutable set search_path = '' as $$ select is_small.number < 10 $$;
create table enrichment.numbers (
    number integer constraint number_is_small check (enrichment.is_small(number))
);

create view enrichment.lowest with (security_invoker = true) as
select q.id, q.work_id from public.queue as q;
comment on view enrichment.lowest is 'What is there.';
grant select on enrichment.lowest to service_role;
create view enrichment.middle with (security_invoker = true) as
select l.id from enrichment.lowest as l;
comment on column enrichment.middle.id is 'The row''s.';
grant select (id) on enrichment.middle to authenticated;
create function enrichment.middle_rows()
returns setof enrichment.middle language sql stable set search_path = '' as $$
    select * from enrichment.middle
$$;
comment on function enrichment.middle_rows() is 'The same.';

create function enrichment.ring() returns trigger language plpgsql set search_path = '' as $$
begin
    return null;
end
$$;
create trigger queue_rings after insert on public.queue for each statement execute function enrichment.ring();
""",
    "90_api/verbs": """
create function public.count_rows(work_id uuid)
returns bigint language sql stable set search_path = '' as $$
    select count(*) from public.queue as q where q.work_id = count_rows.work_id
$$;
comment on function public.count_rows(uuid) is 'How many there are.';
create function enrichment.tidy() returns void language sql set search_path = '' as $$ select null::void $$;
select enrichment.tidy();
revoke all on function public.count_rows, enrichment.tidy, enrichment.is_mine
from public, anon, authenticated, service_role;
grant execute on function public.count_rows to service_role;
grant execute on function enrichment.is_mine to authenticated;
""",
}
NEW_TABLE = """
-- Colours that somebody likes.

create table enrichment.colours (
    id bigint generated always as identity primary key,
    "position" integer not null default 1,
    queue_id integer references public.queue (id)
);
alter table enrichment.colours enable row level security;
revoke all on enrichment.colours from public, anon, authenticated, service_role;
comment on table enrichment.colours is 'Colours.';
comment on column enrichment.colours."position" is 'Their place.';
create index colours_by_queue on enrichment.colours (queue_id);
comment on index enrichment.colours_by_queue is 'For rows.';
create policy colours_of_mine on enrichment.colours for select to authenticated
using (enrichment.is_mine(null));
create trigger colours_ring after insert on enrichment.colours
for each statement execute function enrichment.ring();
grant select ("position") on enrichment.colours to authenticated;
insert into enrichment.colours ("position") values (1);
"""


@dataclass(frozen=True)
class Edit:
    """A replacement in the schema files, and what the draft has to contain: statements, or what is TODO."""

    old: str
    new: str
    drafted: tuple[str, ...] = ()


DONE = {
    "a body": Edit("is not null\n", "is null\n", ("create or replace function enrichment.is_mine",)),
    "a value at an enum's end": Edit(
        "('good', 'bad')", "('good', 'bad', 'so so')", ("alter type enrichment.mood add value 'so so';",)
    ),
    "a view others stand on": Edit(
        "select q.id, q.work_id from",
        "select q.work_id, q.id from",
        (
            "drop function if exists enrichment.middle_rows();\n\n"
            "drop view if exists enrichment.middle;\n\ndrop view if exists enrichment.lowest;",
            "comment on view enrichment.lowest",
            "comment on column enrichment.middle.id",
            "comment on function enrichment.middle_rows()",
            "grant select on table enrichment.lowest to service_role;",
            "grant select(id) on table enrichment.middle to authenticated;",
        ),
    ),
    "a result": Edit(
        "returns bigint",
        "returns numeric",
        (
            "drop function if exists public.count_rows(uuid);",
            "comment on function public.count_rows(uuid)",
            "revoke all on function\n    public.count_rows(uuid)\nfrom public",
            "grant execute on function public.count_rows(uuid) to service_role;",
        ),
    ),
    "a default": Edit(
        "count_rows(work_id uuid)", "count_rows(work_id uuid default null)", ("create function",)
    ),
    "an argument's name that a policy uses": Edit(
        "is_mine(work_id uuid)\nreturns boolean language sql stable set search_path = '' as $$\n"
        "    select is_mine.work_id",
        "is_mine(work uuid)\nreturns boolean language sql stable set search_path = '' as $$\n"
        "    select is_mine.work",
        (
            "drop policy if exists queue_of_mine on public.queue;\n\n"
            "drop function if exists enrichment.is_mine(uuid);",
            "comment on policy queue_of_mine",
            "grant execute on function enrichment.is_mine(uuid) to authenticated;",
        ),
    ),
    "a trigger's function gone": Edit(
        FILES["20_reading/views"][FILES["20_reading/views"].index("create function enrichment.ring") :],
        "",
        (
            "drop trigger if exists queue_rings on public.queue;\n\n"
            "drop function if exists enrichment.ring();",
        ),
    ),
    "an index": Edit(
        "queue (work_id);",
        "queue (work_id, id);",
        ("drop index if exists public.queue_by_work;", "comment on index public.queue_by_work"),
    ),
    "a grant on one column": Edit(
        'select (id, "position")',
        'select (id, "position", is_open)',
        (
            "revoke all on table\n    public.queue\nfrom",
            "grant select(id) on table public.queue to authenticated;",
            'grant select("position") on table public.queue to authenticated;',
            "grant select(is_open) on table public.queue to authenticated;",
            "grant select on table public.queue to service_role;",
        ),
    ),
    "a right gone": Edit(
        "grant select on enrichment.lowest to service_role;\n",
        "",
        ("revoke all on table\n    enrichment.lowest",),
    ),
    "a function open again": Edit(
        "public.count_rows, enrichment.tidy,",
        "public.count_rows,",
        ("grant execute on function enrichment.tidy() to public;",),
    ),
    "a comment": Edit("'Numbers.'", "'Sizes.'", ("comment on table enrichment.settings is 'Sizes.'",)),
    "a comment gone": Edit(
        "comment on table enrichment.settings is 'Numbers.';\n",
        "",
        ("comment on table enrichment.settings is null;",),
    ),
    "comments on a type and its columns": Edit(
        "comment on type enrichment.mood is 'How it is.';\n"
        "comment on column enrichment.pair.one is 'The first.';",
        "comment on column enrichment.pair.two is 'Null: there is one.';\n"
        "create type enrichment.trio as (one text, two text, three text);\n"
        "comment on type enrichment.trio is 'Three.';\n"
        "comment on column enrichment.trio.three is 'The last.';",
        (
            "comment on type enrichment.mood is null;",
            "comment on column enrichment.pair.one is null;",
            "comment on column enrichment.pair.two is 'Null: there is one.';",
            "comment on type enrichment.trio is 'Three.';",
            "comment on column enrichment.trio.three is 'The last.';",
        ),
    ),
    "the schema's comment": Edit("'Ours.'", "'All ours.'", ("comment on schema enrichment is 'All ours.'",)),
}
BY_HAND = {
    "a value in an enum": Edit("('good', 'bad')", "('good', 'so so', 'bad')", ("TYPE enrichment.mood",)),
    "a type's columns": Edit(
        "(one text, two text)", "(one text, half text, two text)", ("TYPE enrichment.pair",)
    ),
    "a column": Edit("is_open boolean)", "is_open boolean, note text)", ("TABLE public.queue",)),
    "a key": Edit(
        "is_open boolean)",
        "is_open boolean, unique (work_id))",
        ("CONSTRAINT public.queue queue_work_id_key",),
    ),
    "a key gone": Edit(
        "old_news (id integer primary key)",
        "old_news (id integer not null)",
        ("CONSTRAINT enrichment.old_news old_news_pkey is gone",),
    ),
    "row level security gone": Edit(
        "alter table public.queue enable row level security;\n", "", ("ROW SECURITY public.queue is gone",)
    ),
    "a table gone": Edit(
        "create table enrichment.old_news (id integer primary key);",
        "",
        ("TABLE enrichment.old_news is gone, with its rows",),
    ),
    "a shipped row": Edit(
        "insert into enrichment.settings default values",
        "insert into enrichment.settings (batch_size) values (11)",
        ("the rows of settings",),
    ),
    "a function a constraint uses": Edit(
        "is_small(number integer)\nreturns boolean language sql immutable set search_path = '' as $$ "
        "select is_small.number",
        "is_small(count integer)\nreturns boolean language sql immutable set search_path = '' as $$ "
        "select is_small.count",
        ("CONSTRAINT enrichment.numbers number_is_small stands on FUNCTION enrichment.is_small(integer)",),
    ),
    "a function that is called as the schemas load": Edit(
        "$$ select null::void $$",
        "$$ select  null::void $$",
        ("select enrichment.tidy(); runs as the schema files load",),
    ),
    "something no statement is known for": Edit(
        "select enrichment.tidy();",
        "select enrichment.tidy();\ncreate sequence enrichment.numbers_of_calls;",
        ("SEQUENCE enrichment.numbers_of_calls",),
    ),
}
