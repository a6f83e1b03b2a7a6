"""What pip installs: a wheel that carries the SQL, and does the whole way without a clone."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from book_enrichment.migrate import released_steps
from book_enrichment.migrate.steps import schema_files
from packages import ROOT

HEAD = len(released_steps())


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """The folder with wheel and sdist, built from a copy of what git would take; the wheel from the sdist."""
    folder = tmp_path_factory.mktemp("built")
    source = folder / "source"
    names = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).exists() or (ROOT / name).is_symlink():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / name).is_symlink():
                (source / name).symlink_to(os.readlink(ROOT / name))
            else:
                shutil.copy2(ROOT / name, source / name)
    command = [sys.executable, "-m", "build", "--outdir", folder, source]  # the wheel is built from the sdist
    subprocess.run(command, check=True, capture_output=True)
    return folder


def test_the_wheel_carries_sql_and_types(built) -> None:
    """Every step, every schema file, the way out, fields, reasons for waiting, and py.typed."""
    (wheel,) = built.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    wanted = {f"book_enrichment/sql/migrations/{step.name}.sql" for step in released_steps()}
    wanted |= {f"book_enrichment/sql/schemas/{name}.sql" for name in schema_files()}
    wanted |= {f"book_enrichment/data/{name}.tsv" for name in ("fields", "reasons")}
    wanted |= {"book_enrichment/sql/uninstall.sql", "book_enrichment/py.typed"}
    assert wanted - names == set()


def test_the_sdist_carries_them_as_files(built) -> None:
    """Whoever builds from it has no clone for links to point into."""
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        sizes = {each.name.partition("/")[2]: each.size for each in archive.getmembers() if each.isfile()}
    assert sizes[f"python_client/book_enrichment/sql/migrations/{released_steps()[0].name}.sql"] > 100_000
    assert sizes["supabase/data/fields.tsv"] > 500


@pytest.mark.extended
@pytest.mark.timeout(900)
@pytest.mark.parametrize("bare", [True, False], ids=["an empty project", "a host's project"])
def test_the_whole_way_without_a_clone(built, tmp_path_factory, make_host, bare) -> None:
    """A fresh virtual environment far from here: migrate twice, doctor, uninstall."""
    (wheel,) = built.glob("*.whl")
    home = tmp_path_factory.getbasetemp() / "outside"
    if not home.exists():
        venv.create(home, with_pip=True)
        pip = [home / "bin" / "python", "-m", "pip", "install", "--quiet", "-c", ROOT / "constraints.txt"]
        subprocess.run([*pip, f"{wheel}[api]"], check=True, cwd=home)
    host = make_host(bare=bare)
    before = host.schema()

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": "/usr/bin:/bin", "DATABASE_URL": host.url, "HOME": str(home)}
        program = home / "bin" / "book-enrichment"
        return subprocess.run(
            [program, *arguments], env=environment, cwd=home, capture_output=True, text=True, check=False
        )

    assert run("migrate", "--check").returncode == 1
    first = run("migrate", "--json")
    assert first.returncode == 0, first.stderr
    assert json.loads(first.stdout)["version"] == HEAD
    schema = host.schema()
    assert json.loads(run("migrate", "--json").stdout)["applied"] == []
    assert host.schema() == schema
    run("settings", "set", "contact=library@readers.dev", "auto_enabled=true")
    checks = json.loads(run("doctor", "--json").stdout)["checks"]
    wrong = [check for check in checks if check["state"] == "fail"]
    assert wrong == [], wrong
    assert {"name": "functions", "state": "ok", "message": "as released", "hint": None} in checks
    assert run("uninstall", "--yes").returncode == 0
    assert host.schema() == before
