"""The command line, as a person and as a script meet it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid

import psycopg


def test_an_import_tells_what_became_of_each_row(run, export, create_reader) -> None:
    """A rejected row is listed with its reason; the rest is in, and that is a success."""
    reader, _ = create_reader("ada")
    result = run("import", export, "--user", reader)
    assert result.exit_code == 0, result.output
    assert "new books" in result.stdout
    assert re.search(r"Row 4: .*title", result.stdout)


def test_a_script_reads_json(run, export, create_reader) -> None:
    """Stdout is one JSON object and nothing else."""
    create_reader("ada")
    result = run("import", export, "--user", "ada", "--json")
    told = json.loads(result.stdout)
    assert told["source"] == "goodreads"
    assert told["summary"] == {"created": 2, "matched": 0, "duplicate": 0, "rejected": 1}
    assert [row["outcome"] for row in told["rows"]] == ["created", "created", "rejected"]
    assert told["rows"][2]["reason"]


def test_importing_twice_changes_nothing(run, export, create_reader) -> None:
    """The reader may be unsure whether it worked and do it again."""
    create_reader("ada")
    run("import", export, "--user", "ada")
    told = json.loads(run("import", export, "--user", "ada", "--json").stdout)
    assert told["summary"] == {"created": 0, "matched": 0, "duplicate": 2, "rejected": 1}


def test_a_file_that_is_no_export_is_exit_2(run, tmp_path) -> None:
    """With a sentence about what it is and a hint what to do."""
    picture = tmp_path / "library.csv"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n")
    result = run("import", picture, "--user", uuid.uuid4())
    assert result.exit_code == 2
    assert "picture" in result.stderr
    assert "hint:" in result.stderr
    assert run("import", tmp_path / "missing.csv", "--user", "ada").exit_code == 2


def test_an_unknown_reader_is_exit_4(run, export) -> None:
    """By handle or by id."""
    for user in ("nobody", str(uuid.uuid4())):
        result = run("import", export, "--user", user)
        assert result.exit_code == 4, result.output
        assert user in result.stderr.replace("\n", "")


def test_a_database_that_is_away_is_exit_3(invoke, export, monkeypatch) -> None:
    """So that a script can try again later."""
    monkeypatch.setenv("SUPABASE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("SUPABASE_SERVICE_ROLE_KEY", "x.y.z")
    assert invoke("status").exit_code == 3
    assert invoke("import", export, "--user", uuid.uuid4()).exit_code == 3
    assert invoke("run", "--drain", "--patience", "0").exit_code == 3


def test_without_a_project_it_says_what_to_set(invoke) -> None:
    """Also how to point it at the local stack."""
    result = invoke("status")
    assert result.exit_code == 2
    told = result.stderr.replace("\n", " ")
    assert "DATABASE_URL" in told
    assert 'eval "$(make -s env)"' in told


def test_a_wrong_variable_is_named(invoke, monkeypatch) -> None:
    """And its value is not printed: it might be a key in the wrong place."""
    monkeypatch.setenv("ENRICHMENT_BATCH_SIZE", "sesame")
    result = invoke("status")
    assert result.exit_code == 2
    assert "ENRICHMENT_BATCH_SIZE" in result.stderr
    assert "sesame" not in result.stderr


def test_status_says_what_waits_for_what(run, export, create_reader) -> None:
    """Rows of an import wait for the switch until it is turned."""
    create_reader("ada")
    assert "empty" in run("status").stdout
    run("import", export, "--user", "ada")
    assert "auto_disabled" in run("status").stdout
    told = json.loads(run("status", "--json").stdout)
    assert told["overview"][0]["wait_reason"] == "auto_disabled"
    assert told["due"]["pending"] == 2


def test_status_says_who_may_be_asked(run, database_url) -> None:
    """Calls that are free and those of today, or why a provider is not asked and until when."""
    with psycopg.connect(database_url) as connection:
        connection.execute('select public.configure_enrichment(\'{"contact": "tests@example.org"}\')')
        connection.execute("select public.reserve_provider_calls('openlibrary', 3)")
    told = re.sub(" *[│┃] *", " ", run("status").stdout)
    assert re.search(r"openlibrary now 7 of 10, 0.33/s 3 ", told)
    assert re.search(r"googlebooks \(no key\) 5 of 5, 0.01/s 0 of 950 ", told)
    with psycopg.connect(database_url) as connection:
        trouble = "last_error => 'openlibrary: identify: 403', reason => 'identify'"
        connection.execute(f"select public.report_provider_calls('openlibrary', {trouble})")
    told = run("status").stdout
    assert re.search(r"openlibrary *│ in 60 min \(identify\) *│", told)
    assert "Last error: openlibrary: identify: 403" in told
    first, second, _covers = json.loads(run("status", "--json").stdout)["providers"]
    assert (first["provider"], first["wait_reason"], first["used_today"]) == ("openlibrary", "identify", 3)
    assert first["last_error"] == "openlibrary: identify: 403"
    assert (second["provider"], second["wait_reason"], second["available_at"]) == (
        "googlebooks",
        "no_key",
        None,
    )


def test_flags_of_the_environment_are_written_by_commands_that_change(
    run, export, create_reader, monkeypatch
) -> None:
    """Importing with AUTO_ENABLED set turns the switch first; looking at the status changes nothing."""
    create_reader("ada")
    run("import", export, "--user", "ada")
    monkeypatch.setenv("ENRICHMENT_AUTO_ENABLED", "true")
    assert "auto_disabled" in run("status").stdout
    run("import", export, "--user", "ada")
    assert "auto_disabled" not in run("status").stdout


def test_works_are_enqueued_by_id_or_all_that_lack_something(run, database_url) -> None:
    """One outcome each, counted."""
    with psycopg.connect(database_url) as connection:
        insert = "insert into public.works (title) select 'Dune' from generate_series(1, 3) returning id"
        works = [row[0] for row in connection.execute(insert)]
    told = json.loads(run("enqueue", works[0], uuid.uuid4(), "--json").stdout)
    assert told["outcomes"] == {"enqueued": 1, "unknown": 1}
    told = json.loads(run("enqueue", "--missing", "--json").stdout)
    assert told["outcomes"] == {"enqueued": 2, "already_open": 1}
    assert run("enqueue").exit_code == 2
    assert run("enqueue", "--missing", works[0]).exit_code == 2
    assert run("enqueue", "no-uuid").exit_code == 2


def test_run_drains_and_tells_what_it_did(run, export, create_reader) -> None:
    """Without a contact nobody is asked, and it says so."""
    create_reader("ada")
    run("import", export, "--user", "ada")
    result = run("run", "--drain", "--patience", "0", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert (told["claimed"], told["calls"], told["pending"]) == (0, {}, 2)
    assert "ENRICHMENT_CONTACT" in result.stderr


def test_run_misses_no_contact_that_the_database_has(run) -> None:
    """It is the one in force, whatever the environment says."""
    assert run("settings", "set", "contact=shelf@readers.dev").exit_code == 0
    assert "ENRICHMENT_CONTACT" not in run("run", "--drain", "--patience", "0").stderr


def test_a_running_worker_ends_on_sigterm_with_exit_0(database_url, tmp_path) -> None:
    """As a process of its own, the way a host runs it."""
    command = [sys.executable, "-c", "from book_enrichment.cli import app; app()", "run", "--json"]
    environment = {**os.environ, "DATABASE_URL": database_url, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    assert "ENRICHMENT_CONTACT" in process.stderr.readline()  # the signal handlers come right after
    with psycopg.connect(database_url, autocommit=True) as connection:
        query = """
            select count(*) from pg_stat_activity
            where datname = current_database() and query like '%enrichment_due%' and pid <> pg_backend_pid()
        """
        while connection.execute(query).fetchone() == (0,):
            time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert json.loads(out)["claimed"] == 0
