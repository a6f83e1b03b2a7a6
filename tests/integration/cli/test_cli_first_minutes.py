"""The README's first five minutes, line by line as they stand there, against a library of our own."""

import asyncio
import re
import shlex
from pathlib import Path

import psycopg

from demo import CSV, asked_library

README = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")
CHAPTER = README.split("## The first five minutes")[1].split("\n## ")[0]
LINES = re.search(r"```\n(.*?)```", CHAPTER, re.DOTALL)[1].splitlines()


async def test_the_first_five_minutes(
    program, terminal, create_reader, database_url, tmp_path, monkeypatch
) -> None:
    """A file comes in, is looked up, looked at and decided about; and the last decision is taken back."""
    create_reader("alice")
    (tmp_path / "goodreads_library_export.csv").write_bytes(CSV.read_bytes())
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("ENRICHMENT_AUTO_ENABLED", "true")
    monkeypatch.setenv("ENRICHMENT_CONTACT", "tests@example.org")
    shown, approved = {}, ""
    async with asked_library(live=False) as library:
        monkeypatch.setenv("ENRICHMENT_OPEN_LIBRARY_URL", library)
        for line in LINES:
            name, *arguments = shlex.split(line, comments=True)[1:]
            arguments = [approved if each == "QUEUE_ID" else each for each in arguments]
            if name == "review":
                approved = await asyncio.to_thread(approve_one, terminal, database_url, arguments)
                continue
            done = await asyncio.to_thread(program, name, *arguments)
            assert done.returncode == 0, (line, done.stdout, done.stderr)
            shown[name] = done.stdout
    assert "new books" in shown["import"]
    assert approved in shown["status"]
    assert "took back" in shown["undo"]


def approve_one(terminal, database_url: str, arguments: list[str]) -> str:
    """The first book of the review is approved; the id of its row."""
    sitting = terminal("review", *arguments)
    sitting.expect("q quit")
    sitting.press("a")
    sitting.expect("approved: wrote")
    sitting.expect("q quit")
    sitting.press("q")
    assert sitting.ends() == 0
    with psycopg.connect(database_url) as connection:
        log = "select enrichment_queue_id from enrichment_audit_log where action = 'approved'"
        return str(connection.execute(log).fetchone()[0])
