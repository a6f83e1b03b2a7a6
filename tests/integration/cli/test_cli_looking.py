"""What the commands that only look show, through both transports, for people and for scripts."""

import json
import signal
import uuid

from book_enrichment.reasons import REASONS


def test_status_lists_rows_in_a_state(run, books) -> None:
    """With the id that approve, dismiss and undo take."""
    row = books.bring_to_review()
    assert str(row.queue_id) in run("status", "needs_review").stdout
    listed = json.loads(run("status", "needs_review", "--json").stdout)["items"]
    assert [item["queue_id"] for item in listed] == [str(row.queue_id)]
    assert listed[0]["proposals"]["edition.publisher"]["value"] == "Scholastic Press"
    assert "No row is failed" in run("status", "failed").stdout
    assert run("status", "sleeping").exit_code == 2


def test_status_of_a_reader_is_the_library_in_numbers(direct, books, create_reader) -> None:
    """Counts, by handle."""
    ada, _ = create_reader("ada")
    books.bring_to_review(reader=ada)
    told = json.loads(direct("status", "--user", "ada", "--json").stdout)
    assert (told["books"], told["needs_review"]) == (1, 1)
    assert "needs review" in direct("status", "--user", "ada").stdout


def test_status_stays_on_screen_and_changes(terminal, monkeypatch, books, database_url) -> None:
    """Until Ctrl-C, which is no error."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    screen = terminal("status", "--watch", "--interval", "0.2")
    screen.expect("The queue is empty")
    books.enqueue(books.add("Dune", "Frank Herbert"))
    screen.expect("pending")
    screen.press("\x03")
    assert screen.ends() == 0


def test_a_watched_status_outlives_the_database(terminal, monkeypatch, database, database_url, away) -> None:
    """It says so, and looks again."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    screen = terminal("status", "--watch", "--interval", "0.2")
    screen.expect("The queue is empty")
    with away(database):
        screen.expect("Postgres")
    screen.expect("Ctrl-C ends")
    screen.process.send_signal(signal.SIGINT)
    assert screen.ends() == 0


def test_watching_needs_a_terminal(direct) -> None:
    """A script would wait for ever."""
    result = direct("status", "--watch")
    assert result.exit_code == 2
    assert "--json" in result.stderr
    assert direct("status", "--watch", "--json").exit_code == 2


def test_candidates_are_explained(run, books) -> None:
    """Each with the parts of its score, the sentence, and where to look."""
    row = books.bring_rivals_to_review()
    told = run("explain", row.work_id).stdout
    assert "Candidates" in told
    candidates = json.loads(run("explain", row.work_id, "--json").stdout)["candidates"]
    assert [each["candidate"] for each in candidates] == [
        "openlibrary:/works/OL1W",
        "openlibrary:/works/OL2W",
    ]
    assert candidates[0]["source_url"] == "https://openlibrary.org/works/OL1W"
    nothing = books.add("Dune", "Frank Herbert")
    assert "enqueue" in run("explain", nothing).stdout
    assert run("explain", uuid.UUID(int=1)).exit_code == 4
    assert run("explain", "Dune").exit_code == 2


def test_a_preview_writes_nothing(run, books) -> None:
    """It says field by field what would be written and what would be proposed."""
    work = books.add("Dune", "Frank Herbert", "9780441013593")
    books.configure(contact="library@readers.dev")
    told = run("preview", work).stdout
    assert "asks openlibrary by isbn" in " ".join(told.split())
    from_cache = books.bring_to_review()
    told = run("preview", from_cache.work_id).stdout
    assert "proposed" in told
    assert "Scholastic Press" in told
    items = json.loads(run("preview", from_cache.work_id, work, "--json").stdout)["items"]
    assert [item["work_id"] for item in items] == [str(from_cache.work_id), str(work)]
    assert books.work(from_cache.work_id)["publisher"] is None


def test_usage_shows_bars(run) -> None:
    """Bytes and calls against what is free."""
    told = run("usage").stdout
    assert "░" in told
    assert "MB" in told
    lines = json.loads(run("usage", "--json").stdout)["items"]
    assert {"database", "covers", "calls"} <= {line["meter"] for line in lines}


def test_every_command_shows_the_same_budgets(run, books) -> None:
    """Room for covers in the same MB, and of Google's day what we spend of it."""
    books.configure(cover_mode="thumbnail", contact="library@readers.dev", provider_keys=["googlebooks"])
    status, usage = (" ".join(run(command).stdout.split()) for command in ("status", "usage"))
    assert "0.0 MB of 819.2 MB" in status
    assert "819.2 MB" in usage
    assert "0 of 950" in status
    assert "│ 0 │ 950 │" in usage


def test_reasons_for_waiting_are_explained(run, books) -> None:
    """Under each table that names one, in the words the page uses."""
    books.enqueue(books.add("Dune", "Frank Herbert", "9780441013593"))
    books.configure(provider_keys=["googlebooks"])
    books.connection.execute("select public.claim_enrichment('ada')")
    books.connection.execute("select public.report_provider_calls('googlebooks', reason => 'quota_zero')")
    for word, commands in (
        ("no_contact", (("status",), ("status", "pending"), ("usage",), ("doctor",))),
        ("quota_zero", (("status",), ("doctor",))),
    ):
        for command in commands:
            assert f"{word}: {REASONS[word]}" in " ".join(run(*command).stdout.split()), command


def test_imports_are_listed_with_what_was_rejected(run, export, create_reader) -> None:
    """How many rows there were, what became of them, and why one was not taken."""
    create_reader("ada")
    assert "No import yet" in run("imports").stdout
    run("import", export, "--user", "ada")
    (listed,) = json.loads(run("imports", "--json").stdout)["items"]
    assert "3 of 3" in run("imports").stdout
    told = run("imports", listed["import_id"]).stdout
    assert "Row 4: " in told
    one = json.loads(run("imports", listed["import_id"], "--json").stdout)
    assert [line["outcome"] for line in one["items"]] == ["created", "created", "rejected"]
    assert run("imports", uuid.UUID(int=1)).exit_code == 4


def test_what_providers_say_cannot_speak_to_the_terminal(run, books) -> None:
    """Markup is text, and control characters are gone."""
    evil = "\x1b[31mScholastic[/] [link=file:///etc/passwd]Press\x07"
    row = books.bring_to_review()
    change = (
        "update public.enrichment_queue set match_details = jsonb_set(match_details, %s, to_jsonb(%s::text))"
    )
    books.connection.execute(change, [["proposals", "edition.publisher", "value"], evil])
    told = run("preview", row.work_id).stdout
    assert "\x1b[31m" not in told
    assert "\x07" not in told
    assert "[/]" in told
