"""`make migration` drafts a step that leads to what the schemas say, or says TODO; never neither.

The schema files here are small ones of our own, in `schema_edits.py`.
"""

import hashlib
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import drafting
from book_enrichment.migrate.steps import MARK, checksum
from difference import Difference
from drafting import is_empty, sealed, todos, write_next
from packages import ROOT, PlatformError
from schema_edits import BY_HAND, DONE, FILES, NEW_TABLE, Edit


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
