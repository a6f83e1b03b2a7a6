"""A line of supabase/data/fields.tsv is enough: whoever shows or takes fields has them from there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from book_enrichment.cli.showing import LETTERS
from book_enrichment.fields import FIELDS, NAMES, Kind, read_registry
from book_enrichment.migrate import steps
from packages import ROOT, node

PACKAGE = ROOT / "python_client" / "book_enrichment"
SCHEMAS = ROOT / "supabase" / "schemas"
WORDS = PACKAGE / "web" / "static" / "words.js"

# Where several fields stand by hand, and why they have to.
KNOW_THEIR_FIELDS = {
    "supabase/schemas/05_host/catalogue.sql": "the tables of a project that has none",
    "supabase/schemas/15_fields/fields.sql": "generated",
    "supabase/schemas/25_matching/batch.sql": "an edition is told by its ISBN, language and format",
    "supabase/schemas/30_providers/googlebooks.sql": "a parser of replies",
    "supabase/schemas/30_providers/openlibrary.sql": "a parser of replies",
    "supabase/schemas/55_imports/rows.sql": "the columns of an export, and their reader",
    "python_client/book_enrichment/imports/goodreads.py": "the columns of an export",
    "python_client/book_enrichment/imports/rows.py": "the columns of an export",
}

# What another process says of the package with one field more.
WITH_ONE_MORE = """
import json
from book_enrichment import fields
fields.FIELDS += (fields.FillableField("edition.chapters", "Chapters", "number"),)
fields.NAMES += ("edition.chapters",)
from starlette.testclient import TestClient
from book_enrichment.api import create_app
from book_enrichment.api.models import LocksBody
from book_enrichment.cli import showing
from book_enrichment.cli.decisions import _fields
from book_enrichment.settings import Settings

reachable = {"supabase_url": "http://127.0.0.1:9", "supabase_anon_key": "sb_publishable_x"}
with TestClient(create_app(Settings(_env_file=None, **reachable))) as client:
    config = client.get("/api/v1/enrichment/config").json()
def taken():
    try:
        return LocksBody(fields=["edition.chapters"]).fields
    except ValueError as error:
        return str(error)

print(json.dumps({
    "config": config["fields"][-1],
    "taken": taken(),
    "described": LocksBody.model_json_schema()["properties"]["fields"]["items"]["enum"][-1],
    "label": showing.field_label("edition.chapters"),
    "named": showing.field_names(["chapters"]),
    "offered": _fields()[-1],
    "last": [field for field, _ in showing.in_order({"edition.chapters": 1, "work.cover_url": 2})],
}))
"""


@pytest.fixture(scope="module")
def one_more() -> dict[str, object]:
    """What API and command line make of a twelfth field."""
    done = subprocess.run([sys.executable, "-c", WITH_ONE_MORE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_registry_is_whole() -> None:
    """Each field has its own name, column, label and a kind that there is."""
    rows = read_registry()
    assert all(re.fullmatch("(work|edition)[.][a-z0-9_]+", row["field"]) for row in rows)
    assert {row["kind"] for row in rows} <= set(get_args(Kind))
    for column in ("field", "label"):
        assert len({row[column].lower() for row in rows}) == len(rows)


def test_the_api_takes_a_new_field(one_more) -> None:
    """In a body, and in its description."""
    assert one_more["taken"] == ["edition.chapters"]
    assert one_more["described"] == "edition.chapters"


def test_the_configuration_lists_a_new_field(one_more) -> None:
    """So that a page can name it."""
    assert one_more["config"] == {"name": "edition.chapters", "label": "Chapters", "kind": "number"}


def test_the_command_line_names_a_new_field(one_more) -> None:
    """Its label, from which it is understood as well; among those it offers; in its place."""
    assert one_more["label"] == "chapters"
    assert one_more["named"] == ["edition.chapters"]
    assert one_more["offered"] == "edition.chapters"
    assert one_more["last"] == ["work.cover_url", "edition.chapters"]


def test_each_field_has_a_key_in_the_terminal() -> None:
    """One letter a field where fields are ticked, and no field without."""
    assert len(set(LETTERS)) == len(LETTERS) > len(FIELDS)


def test_the_page_names_and_shows_by_what_it_is_told(tmp_path) -> None:
    """Labels, order and kinds of values come from the configuration, also of a field that is new."""
    module = tmp_path / "words.mjs"
    module.write_text(WORDS.read_text(encoding="utf-8"), encoding="utf-8")
    fields = [{"name": "edition.chapters", "label": "Chapters", "kind": "number"}]
    fields += [{"name": f"edition.{kind}", "label": kind.title(), "kind": kind} for kind in get_args(Kind)]
    script = f"""
    import {{ fieldName, inOrder, learn, shown }} from {json.dumps(module.as_uri())};
    const before = fieldName('edition.chapters');
    learn({json.dumps({"fields": fields, "reasons": {}})});
    console.log(JSON.stringify([
        before, fieldName('edition.chapters'), inOrder(['edition.text', 'edition.chapters']), shown('edition.chapters', 12),
        shown('edition.minutes', 605), shown('edition.date', '2008-09-14'), shown('edition.language', 'eng'),
        shown('edition.word', 'hardcover'), shown('edition.year', 2008), shown('edition.text', ''),
    ]));
    """  # noqa: E501
    done = subprocess.run(
        [str(node()), "--input-type=module", "--eval", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [
        *("chapters", "Chapters", ["edition.chapters", "edition.text"], "12"),
        *("10 h 5 min", "September 14, 2008", "English", "Hardcover", "2008", None),
    ]


def test_nobody_else_lists_fields() -> None:
    """Three of them within a dozen lines are a list, which a new field would be missing in."""
    files = [*SCHEMAS.rglob("*.sql"), *PACKAGE.rglob("*.py"), *(PACKAGE / "web" / "static").rglob("*.js")]
    lists = {
        str(file.relative_to(ROOT))
        for file in files
        if "vendor" not in file.parts and fields_beside(file) > 2
    }
    assert lists == set(KNOW_THEIR_FIELDS)


def fields_beside(file: Path) -> int:
    """How many fields are named within a dozen lines of a file, by their names or their columns. Three are
    words of SQL and of any page as well: those count by their whole names only."""
    called = {row["field"]: row["field"] for row in read_registry()}
    for row in read_registry():
        attribute = row["field"].partition(".")[2]
        if attribute not in ("description", "language", "format"):
            called |= {attribute: row["field"], row["column"]: row["field"]}
    # The longest first, so that a name is not taken for the column it ends in.
    names = re.compile(rf"\b({'|'.join(map(re.escape, sorted(called, key=len, reverse=True)))})\b")
    found = [{called[name] for name in names.findall(line)} for line in file.read_text("utf-8").splitlines()]
    return max((len(set().union(*found[at : at + 12])) for at in range(len(found))), default=0)


def test_names_are_as_the_registry_has_them() -> None:
    """In its order."""
    assert [row["field"] for row in read_registry()] == list(NAMES)


def test_a_column_that_a_step_brings_is_not_asked_of_the_host(monkeypatch) -> None:
    """A library of before has it not, and gets it; whatever no step adds has to be there."""
    text = "alter table public.editions\n    add column if not exists publisher varchar(255);\n"
    assert {("editions", "publisher"), ("editions", "language")} <= set(steps.host_columns())
    monkeypatch.setattr(steps, "released_steps", lambda: (steps.Step(9, "20990101000000_more", text),))
    assert ("editions", "publisher") not in steps.host_columns()
    assert ("editions", "language") in steps.host_columns()
