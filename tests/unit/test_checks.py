"""Which pgTAP files `make pgtap` runs: those at its paths, less what needs pg_cron where there is none."""

import subprocess
import sys
from pathlib import Path

import pytest

import checks
from checks import durations, needs_cron, pgtap_tests
from packages import PlatformError


@pytest.fixture
def tests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with two folders of tests, one of them empty, and the helper verbs."""
    folder = tmp_path / "supabase" / "tests"
    (folder / "claim").mkdir(parents=True)
    (folder / "empty").mkdir()
    for name in ("helpers.sql", "claim/hands_out.sql", "claim/takes.sql", "claim/notes.md"):
        (folder / name).touch()
    (tmp_path / "elsewhere.sql").touch()
    monkeypatch.setattr(checks, "ROOT", tmp_path)
    monkeypatch.setattr(checks, "PGTAP", folder)
    monkeypatch.setattr(checks, "HELPERS", folder / "helpers.sql")
    return folder


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("supabase/tests", ["hands_out.sql", "takes.sql"]),
        ("supabase/tests/claim/", ["hands_out.sql", "takes.sql"]),
        ("./supabase/tests/empty/../claim/takes.sql", ["takes.sql"]),
    ],
)
def test_a_path_is_a_file_or_a_folder(tests, path, names):
    """As seen from the repository, or absolute."""
    assert sorted(file.name for file in pgtap_tests(path)) == names
    assert sorted(file.name for file in pgtap_tests(str(checks.ROOT / path))) == names


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("supabase/tests/claims", "claims does not exist"),
        ("elsewhere.sql", r"elsewhere\.sql is not under supabase/tests"),
        ("supabase", "supabase is not under supabase/tests"),
        ("supabase/tests/empty", "empty holds no pgTAP tests"),
        ("supabase/tests/helpers.sql", r"helpers\.sql holds no pgTAP tests"),
        ("supabase/tests/claim/notes.md", r"notes\.md holds no pgTAP tests"),
    ],
)
def test_a_path_without_tests_is_refused(tests, path, message):
    with pytest.raises(PlatformError, match=message):
        pgtap_tests(path)


@pytest.mark.parametrize(
    ("text", "needed"),
    [
        ("select j.jobid from cron.job as j;", True),
        ("delete from cron.job_run_details;", True),
        ("select cron.unschedule('enrichment-prune');", True),
        ("select is_empty($$select 1 from cron.job$$);", True),
        ("select is(subject, 'cron.job_run_details') from public.prune_enrichment();", False),
        ("-- pg_cron would do this each minute.\nselect public.sweep_enrichment();", False),
        ("select acron.job;", False),
    ],
)
def test_a_test_needs_pg_cron_when_it_names_what_is_in_it(tmp_path, text, needed):
    file = tmp_path / "test.sql"
    file.write_text(text)
    assert needs_cron(file) is needed


def test_the_slowest_files_come_first():
    """By what pg_prove --timer says of those that passed; whatever else it says is passed over."""
    said = [
        "[03:32:48] supabase/tests/queue/claim/takes.sql ....... ok      285 ms ( 0.00 usr = 0.02 CPU)",
        "[03:32:49] supabase/tests/queue/claim/hands_out.sql .. ok     1148 ms ( 0.00 usr = 0.02 CPU)",
        "[03:32:50] supabase/tests/queue/claim/fails.sql ....... ",
        "Failed 1/1 subtests ",
        "All tests successful.",
    ]
    assert durations(said) == [
        (1148, "supabase/tests/queue/claim/hands_out.sql"),
        (285, "supabase/tests/queue/claim/takes.sql"),
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pgtap", "nowhere"], "nowhere does not exist."),
        (["pgtap", "--postgres", "17", "nowhere"], "nowhere does not exist."),
        (["pgtap", "--postgres", "16"], "invalid choice: 16 (choose from 15, 17, 18)"),
        (["lint", "supabase"], "unrecognized arguments: supabase"),
    ],
)
def test_what_cannot_be_run_is_said_before_anything_starts(arguments, message):
    done = subprocess.run([sys.executable, checks.__file__, *arguments], capture_output=True, text=True)
    assert done.returncode != 0
    assert message in done.stderr
    assert done.stdout == ""
