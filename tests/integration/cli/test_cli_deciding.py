"""Approve, dismiss and undo by command: one row, all of a kind, an import; as the service and as a reader."""

import json
import re
import uuid

import pytest

COVER_1 = "https://covers.openlibrary.org/b/id/1-M.jpg"
COVER_2 = "https://covers.openlibrary.org/b/id/2-M.jpg"


def test_a_row_is_approved_and_undone(run, books) -> None:
    """What was written is said by the names people use, and is gone again."""
    row = books.bring_to_review()
    result = run("approve", row.queue_id)
    assert result.exit_code == 0, result.output
    assert "approved: wrote first published, publisher, published" in result.stdout
    assert books.work(row.work_id)["publisher"] == "Scholastic Press"
    result = run("undo", row.queue_id)
    assert result.exit_code == 0, result.output
    assert "publisher" in result.stdout
    assert books.work(row.work_id)["publisher"] is None


def test_only_the_named_fields_are_written(run, books) -> None:
    """Named as the panel names them, or as the database does."""
    row = books.bring_to_review()
    told = json.loads(
        run("approve", row.queue_id, "--field", "publisher", "--field", "edition.language", "--json").stdout
    )
    assert told["status"] == "completed"
    assert sorted(told["fields_applied"]) == ["edition.language", "edition.publisher"]
    assert books.work(row.work_id)["first_publish_year"] is None


def test_one_of_several_books_is_chosen(run, books) -> None:
    """The best when none is named, and a candidate that was not shown is refused."""
    row = books.bring_rivals_to_review()
    result = run("approve", row.queue_id, "--candidate", "openlibrary:/works/OL9W")
    assert result.exit_code == 4
    assert "hint:" in result.stderr
    result = run("approve", row.queue_id, "--candidate", "openlibrary:/works/OL2W")
    assert result.exit_code == 0, result.output
    assert books.work(row.work_id)["default_cover_url"] == COVER_2


def test_a_row_is_dismissed(run, books) -> None:
    """Once: a second time is refused."""
    row = books.bring_to_review()
    assert run("dismiss", row.queue_id).stdout == "dismissed\n"
    assert books.state(row.queue_id) == "skipped"
    result = run("dismiss", row.queue_id)
    assert result.exit_code == 4
    assert str(row.queue_id) in result.stderr.replace("\n", "")


def test_all_of_a_kind_are_counted_first(run, books) -> None:
    """Without --yes and without anybody to ask nothing is written; books that compete are not chosen so."""
    rows = [
        books.bring_to_review(),
        books.bring_to_review("Dune", "Frank Herbert", "9780441013593", key="/works/OL2W"),
    ]
    rivals = books.bring_rivals_to_review()
    result = run("approve", "--all", "--confidence", "high")
    assert result.exit_code == 0, result.output
    assert re.search("rows that match +2\n", result.stdout)
    assert "publisher" in result.stdout
    assert "nothing is changed" in result.stderr
    counted = json.loads(run("approve", "--all", "--json").stdout)
    assert (counted["is_dry_run"], counted["matched"], counted["changed"]) == (True, 2, 0)
    assert {books.state(row.queue_id) for row in rows} == {"needs_review"}
    assert (
        json.loads(run("approve", "--all", "--confidence", "low", "--yes", "--json").stdout)["changed"] == 0
    )
    done = json.loads(run("approve", "--all", "--provider", "openlibrary", "--yes", "--json").stdout)
    assert (done["is_dry_run"], done["matched"], done["changed"]) == (False, 2, 2)
    assert {books.state(row.queue_id) for row in rows} == {"completed"}
    assert books.state(rivals.queue_id) == "needs_review"


def test_all_of_a_kind_are_dismissed(run, books) -> None:
    """By what explains them."""
    row = books.bring_to_review()
    sentence = json.loads(run("status", "needs_review", "--json").stdout)["items"][0]["sentence"]
    assert "nothing is changed" in run("dismiss", "--all", "--sentence", sentence).stderr
    assert re.search("dismissed +0\n", run("dismiss", "--all", "--sentence", "it is raining", "--yes").stdout)
    assert re.search("dismissed +1\n", run("dismiss", "--all", "--sentence", sentence, "--yes").stdout)
    assert books.state(row.queue_id) == "skipped"


def test_a_person_is_asked_before_all_are_approved(terminal, monkeypatch, books, database_url) -> None:
    """No is no; yes writes."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    row = books.bring_to_review()
    for answer, state in (("n", "needs_review"), ("y", "completed")):
        screen = terminal("approve", "--all")
        screen.expect("rows that match")
        screen.expect("[y/N]")
        screen.press(f"{answer}\n")
        assert screen.ends() == 0
        assert books.state(row.queue_id) == state


def test_only_the_named_fields_of_all_are_written(run, books) -> None:
    """The filter and the fields go together."""
    row = books.bring_to_review()
    done = json.loads(run("approve", "--all", "--field", "language", "--yes", "--json").stdout)
    assert done["fields"] == {"edition.language": 1}
    assert books.work(row.work_id)["publisher"] is None


@pytest.mark.parametrize(
    "arguments",
    [
        ("approve",),
        ("approve", uuid.UUID(int=1), "--all"),
        ("approve", uuid.UUID(int=1), "--confidence", "high"),
        ("approve", "--all", "--candidate", "openlibrary:/works/OL1W"),
        ("approve", "--all", "--confidence", "certain"),
        ("dismiss", "--confidence", "low"),
        ("undo",),
        ("undo", uuid.UUID(int=1), "--import", uuid.UUID(int=1)),
        ("undo", "--import", uuid.UUID(int=1)),  # nobody can be asked here, and --yes is not there
    ],
)
def test_what_makes_no_sense_is_exit_2(direct, arguments) -> None:
    """Before anything is sent."""
    assert direct(*arguments).exit_code == 2


def test_a_row_that_is_not_there_is_exit_4(run) -> None:
    """With what to do."""
    for command in ("approve", "dismiss", "undo"):
        result = run(command, uuid.UUID(int=1))
        assert result.exit_code == 4, command
        assert "hint:" in result.stderr


def test_an_import_is_undone_as_a_whole(run, books, export, create_reader) -> None:
    """Its books stay on the shelf; rows that were waiting wait no more."""
    create_reader("ada")
    run("import", export, "--user", "ada")
    (imported,) = json.loads(run("imports", "--json").stdout)["items"]
    assert (imported["expected_rows"], imported["rows"], imported["rejected"]) == (3, 3, 1)
    told = json.loads(run("undo", "--import", imported["import_id"], "--yes", "--json").stdout)
    assert {line["status"] for line in told["items"]} == {"skipped"}
    assert books.connection.execute("select count(*) from library_items").fetchone() == (2,)
    assert books.connection.execute("select count(*) from enrichment_queue where is_open").fetchone() == (0,)


def test_a_reader_decides_about_the_own_books_only(direct, books, create_reader) -> None:
    """--user runs the verb as PostgREST would for that reader, by handle or by id."""
    ada, _ = create_reader("ada")
    create_reader("bob")
    row = books.bring_to_review(reader=ada)
    result = direct("approve", row.queue_id, "--user", "bob")
    assert result.exit_code == 4
    assert "not in your library" in result.stderr.replace("\n", " ")
    assert direct("approve", "--all", "--user", "bob", "--yes", "--json").exit_code == 0
    assert books.state(row.queue_id) == "needs_review"
    assert direct("approve", row.queue_id, "--user", "ada").exit_code == 0
    assert books.connection.execute(
        "select actor from enrichment_audit_log where action = 'approved'"
    ).fetchone() == (ada,)
    assert direct("undo", row.queue_id, "--user", str(ada)).exit_code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("approve", "--all"),
        ("dismiss", uuid.UUID(int=1)),
        ("undo", uuid.UUID(int=1)),
        ("review", "--json"),
        ("status",),
        ("imports",),
        ("usage",),
        ("explain", uuid.UUID(int=1)),
        ("preview", uuid.UUID(int=1)),
        ("enqueue", "--missing"),
    ],
)
def test_acting_for_a_reader_needs_the_direct_connection(by_http, create_reader, arguments) -> None:
    """The service role's key cannot be somebody else; it does not try to."""
    create_reader("ada")
    result = by_http(*arguments, "--user", "ada")
    assert result.exit_code == 2, result.output
    assert "DATABASE_URL" in result.stderr
