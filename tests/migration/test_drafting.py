"""`make migration` drafts a step that leads to what the schemas say, or says TODO; never neither.

The schema files here are small ones of our own, with one of each kind of thing that may change.
"""

import hashlib
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import drafting
from book_enrichment.migrate.steps import MARK, checksum
from difference import Difference
from drafting import is_empty, sealed, todos, write_next
from packages import ROOT, PlatformError

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


@pytest.fixture
def folder(stack, tmp_path, monkeypatch) -> Path:
    """A folder of migrations with a released first step that makes what FILES say."""
    folder = tmp_path / "migrations"
    folder.mkdir()
    monkeypatch.setattr(drafting, "MIGRATIONS", folder)
    monkeypatch.setattr(drafting, "RELEASED", tmp_path / "released.sha256")
    monkeypatch.setattr(drafting, "schema_files", lambda: FILES)
    first = folder / "20260101000000_begin.sql"
    text = "set check_function_bodies = off;\n" + "\n".join(FILES.values()) + "\nreset check_function_bodies;"
    first.write_text(sealed(text, 1, first.stem, 1))
    digest = hashlib.sha256(first.read_bytes()).hexdigest()
    drafting.RELEASED.write_text(f"{digest}  supabase/migrations/{first.name}\n")
    return folder


@pytest.fixture
def change(monkeypatch) -> Callable[[Edit], None]:
    """`change(edit)` edits the schema files."""

    def change(edit: Edit) -> None:
        files = {name: text.replace(edit.old, edit.new) for name, text in drafting.schema_files().items()}
        assert files != drafting.schema_files(), "the edit finds its place"
        monkeypatch.setattr(drafting, "schema_files", lambda: files)

    return change


def drafted(folder: Path, name: str = "next") -> str:
    """The text of the step that is drafted now."""
    before = set(folder.iterdir())
    write_next(name)
    (file,) = set(folder.iterdir()) - before
    return file.read_text()


@pytest.mark.parametrize("kind", DONE)
def test_what_holds_no_rows_is_drafted_whole(folder, change, kind) -> None:
    """Nothing is left to do but the first line."""
    change(DONE[kind])
    text = drafted(folder)
    assert todos(text) == ["-- Book enrichment, version 2: TODO"]
    for statement in DONE[kind].drafted:
        assert statement in text


def test_a_draft_without_todo_leads_to_what_the_schemas_say(folder, change) -> None:
    """All of that in one step: it runs after the steps before it, and then nothing is left to draft."""
    for edit in DONE.values():
        if any(edit.old in text for text in drafting.schema_files().values()):
            change(edit)
    assert len(todos(drafted(folder))) == 1
    assert is_empty(drafting.draft(3, "20990101000000_nothing"))


@pytest.mark.parametrize("kind", BY_HAND)
def test_what_cannot_be_drafted_is_named(folder, change, kind) -> None:
    """A TODO names the object; the difference stands under it."""
    change(BY_HAND[kind])
    text = drafted(folder)
    for name in BY_HAND[kind].drafted:
        assert f"-- TODO by hand: {name}" in text


def test_nothing_of_a_new_table_comes_twice(folder, change) -> None:
    """Its statements stand there whole and in their order, those that need later ones too."""
    change(Edit("$$;\ncreate trigger queue_rings", f"$$;\n{NEW_TABLE}\ncreate trigger queue_rings"))
    text = drafted(folder)
    assert len(todos(text)) == 1
    body = text.partition("bodies = off;")[2].partition("reset check")[0]
    assert body.split() == NEW_TABLE.partition("likes.")[2].split()
    assert is_empty(drafting.draft(3, "20990101000000_nothing"))


def test_a_right_shared_with_a_new_table_takes_nothing_from_the_other(folder, change) -> None:
    """A statement that names old tables too is not run again: both get what they have anew."""
    colours = "create table enrichment.colours (id integer);"
    change(Edit("create table enrichment.old_news", f"{colours}\ncreate table enrichment.old_news"))
    shared = "\n".join(
        [
            "revoke all on enrichment.settings, enrichment.colours from anon;",
            "grant select on enrichment.colours, enrichment.settings to service_role;",
            "create view enrichment.lowest",
        ]
    )
    change(Edit("create view enrichment.lowest", shared))
    text = drafted(folder)
    assert len(todos(text)) == 1
    assert "revoke all on table\n    enrichment.colours,\n    enrichment.settings\nfrom" in text


def test_what_a_draft_forgets_becomes_a_todo(folder, change, monkeypatch) -> None:
    """Before anybody sees it, it runs in a database of its own and is compared."""
    change(DONE["a comment"])
    monkeypatch.setattr(Difference, "statements", lambda self: ["select 1;"])
    assert "-- TODO still different: COMMENT enrichment.TABLE settings\n" in drafted(folder)


def test_a_draft_that_fails_says_so(folder, change, monkeypatch) -> None:
    """With what Postgres says, and where."""
    change(DONE["a comment"])
    monkeypatch.setattr(Difference, "statements", lambda self: ["drop view enrichment.lowest;"])
    text = drafted(folder)
    (line,) = todos(text)[1:]
    assert line.startswith("-- TODO it does not apply: cannot drop view enrichment.lowest because other")
    assert line.endswith("at: drop view enrichment.lowest;")
    mark = MARK.search(text)
    assert mark is not None
    assert mark["checksum"] == checksum(text[: mark.start()])


def test_a_draft_is_told_with_its_todos(folder, change, capsys) -> None:
    """On the screen, with their number; and that an earlier unreleased step could take the change."""
    change(BY_HAND["a column"])
    drafted(folder, "add_a_note")
    told = capsys.readouterr().err
    assert "its first line is yours to write; 1 TODO in it" in told
    assert "-- TODO by hand: TABLE public.queue" in told
    change(DONE["a comment"])
    drafted(folder, "say_more")
    assert re.search(r"_add_a_note\.sql is not released either", capsys.readouterr().err)


def test_no_difference_writes_nothing(folder, capsys) -> None:
    """And says so."""
    write_next("nothing")
    assert len(list(folder.iterdir())) == 1
    assert "there is nothing to draft" in capsys.readouterr().err


def test_a_draft_is_later_than_the_last_step_and_works_with_as_much(folder, change) -> None:
    """Even where the last one's time is yet to come."""
    last = folder / "20990101000000_early.sql"
    last.write_text(sealed("select 1;", 2, last.stem, 1))
    change(DONE["a comment"])
    text = drafted(folder)
    assert "(3, '20990101000001_next'" in text
    assert re.search(r"', 1, '\{\}'\);\n\Z", text)


@pytest.mark.parametrize("name", ["Bad name", "Bad", "a-b"])
def test_a_name_is_lower_case_words(folder, name) -> None:
    """Before anything is written anew."""
    with pytest.raises(PlatformError, match="lower-case words"):
        write_next(name)


def test_make_hands_a_name_on_whole() -> None:
    """Quoted, so that the sentence about names comes from us and not from argparse."""
    command = ["make", "--dry-run", "--no-print-directory", "migration", "NAME=Bad name"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert 'drafting.py draft "Bad name"' in shown


def test_a_mistake_in_a_schema_file_is_found(folder, change) -> None:
    """The message names the file and the line."""
    change(Edit("create trigger queue_rings", "create triger queue_rings"))
    line = FILES["20_reading/views"].partition("create trigger")[0].count("\n") + 1
    with pytest.raises(PlatformError, match=rf"schemas/20_reading/views\.sql, line {line}: syntax error"):
        write_next("trigger")


def test_a_mistake_without_a_place_is_found_too(folder, change) -> None:
    """Where Postgres names no place, the statement's line is named."""
    change(Edit("comment on view enrichment.lowest", "-- Why.\ncomment on view enrichment.lower"))
    line = FILES["20_reading/views"].partition("comment on view")[0].count("\n") + 2
    with pytest.raises(PlatformError, match=rf"views\.sql, line {line}: .*lower. does not exist"):
        write_next("view")


def test_without_a_name_it_says_what_it_did(folder, change, capsys) -> None:
    """Checksums, and what is left to do in steps that are not released."""
    write_next(None)
    assert "there is nothing to do" in capsys.readouterr().err
    change(BY_HAND["a column"])
    text = drafted(folder)
    file = max(folder.iterdir())
    capsys.readouterr()
    file.write_text(
        text.replace("set check_function_bodies = off;", "set check_function_bodies = off; select 1;")
    )
    write_next(None)
    told = capsys.readouterr().err
    assert f"{file.name}: its checksum is written anew." in told
    assert "-- Book enrichment, version 2: TODO" in told
    assert "-- TODO by hand: TABLE public.queue" in told
    write_next(None)
    assert "its checksum was right already" in capsys.readouterr().err


def test_release_refuses_what_is_not_finished(folder, change, capsys) -> None:
    """TODO, a checksum that is not of this text, a released file that was edited."""
    change(DONE["a comment"])
    text = drafted(folder)
    file = max(folder.iterdir())
    with pytest.raises(PlatformError, match="says TODO"):
        drafting.release()
    file.write_text(text.replace("version 2: TODO", "version 2. Better words"))
    with pytest.raises(PlatformError, match="edited after its checksum was written: `make migration`"):
        drafting.release()
    assert file.name not in drafting.read_released()
    write_next(None)
    drafting.release()
    assert file.name in drafting.read_released()
    assert f"Released {file.name}." in capsys.readouterr().err
    file.write_text(file.read_text() + "\n")
    with pytest.raises(PlatformError, match="released and was changed since"):
        drafting.release()
