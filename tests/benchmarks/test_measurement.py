"""What the measurement says of itself: `make measure-matching`, its figures, its files, its plain errors."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from matching_figures import origins, rates, write_errors
from matching_pairs import OWN_PAIRS, Judged, Pair, read_pairs
from matching_rules import author_of_request, isbn_of_request, tier_of_request, title_of_request
from measure_matching import read_catalogue
from packages import ROOT, PlatformError

SCRIPT = ROOT / "tests" / "benchmarks" / "measure_matching.py"
PATH = os.environ | {"PYTHONPATH": str(ROOT / "supabase" / "local")}  # as the Makefile has it
HEADER = OWN_PAIRS.read_text(encoding="utf-8").split("\n", 1)[0]
LINE = "Dune\tFrank Herbert\t\tDune Messiah\tFrank Herbert\t\t0\tsequel\t\tdune\ta sequel\t1"


def pair(label: int, origin: str, **cells: str) -> Pair:
    columns = dict.fromkeys(Pair.__dataclass_fields__, "") | {"label": str(label), "origin": origin}
    return Pair(**columns | cells)


def judgement(is_taken: bool, of: Pair) -> Judged:
    return Judged(of, 4, 3, 0, "medium" if is_taken else "none", "none", 0.0, {"lib_title": {"main": "x"}})


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, SCRIPT, *arguments]
    return subprocess.run(command, env=PATH, capture_output=True, text=True, check=False)


def test_rates_are_counted_per_origin() -> None:
    """Recall where all are the same book, false accepts where some are not; then recall stands under +."""
    judged = [
        judgement(True, pair(1, "good")),
        judgement(False, pair(1, "good")),
        judgement(True, pair(0, "bad")),
        judgement(True, pair(1, "both")),
        *[judgement(False, pair(0, "both"))] * 3,
    ]
    assert rates(judged, lambda j: j.hidden == "medium") == {
        "precision": 2 / 3,
        "recall": 2 / 3,
        "false_accept_rate": 1 / 4,
        "by_origin": {"good": 0.5, "bad": 1.0, "both": 0.0, "both+": 1.0},
    }
    assert origins([j.pair for j in judged]) == {
        "bad": {"rate": "false accepts", "pairs": 1},
        "both": {"rate": "false accepts", "pairs": 3},
        "both+": {"rate": "recall", "pairs": 1},
        "good": {"rate": "recall", "pairs": 2},
    }


def test_a_rate_of_nothing_is_none() -> None:
    """Not zero, and no division by it."""
    nothing = rates([judgement(False, pair(0, "bad"))], lambda j: j.hidden == "medium")
    assert (nothing["precision"], nothing["recall"], nothing["false_accept_rate"]) == (None, None, 0)


def test_wrong_judgements_are_written_with_their_parts(tmp_path: Path) -> None:
    """What is right in both views is left out."""
    judged = [judgement(True, pair(0, "bad", pair_id="a")), judgement(False, pair(0, "bad", pair_id="b"))]
    assert write_errors(tmp_path / "new" / "errors.tsv", judged) == 1
    header, line = (tmp_path / "new" / "errors.tsv").read_text(encoding="utf-8").splitlines()
    error = dict(zip(header.split("\t"), line.split("\t"), strict=True))
    assert (error["error"], error["where"], error["pair_id"]) == ("false accept", "hidden", "a")
    assert error["parsed_lib_title"] == '{"main": "x"}'


def test_the_rule_of_the_request_is_the_one_it_means() -> None:
    """What it accepts and loses, as the issues tell it."""
    assert title_of_request("Mockingjay (The Hunger Games, #3)", "The Hunger Games") == 3
    assert title_of_request("Dune", "Dune Messiah") == 3
    assert title_of_request("Richard II", "Richard III") == 3
    assert title_of_request("Les Misérables", "Les Miserables") == 0
    assert title_of_request("Война и мир", "Война и мир") == 0
    assert author_of_request("J.R.R. Tolkien", ["Tolkien, J.R.R."]) == 2
    assert author_of_request("J.R.R. Tolkien", ["John Tolkien"]) == 2
    assert author_of_request("Gabriel García Márquez", ["Gabriel Garcia Marquez"]) == 0
    assert author_of_request("", ["Anybody"]) == 1
    assert isbn_of_request("9780439023481", "978-0439023481") == 5
    assert isbn_of_request("0439023483", "9780439023481") == 0
    jekyll = pair(1, "x", lib_title="It", lib_isbn13="0439023483", cand_title="It", cand_isbn13="0439023483")
    assert (tier_of_request(jekyll, True), tier_of_request(jekyll, False)) == ("high", "low")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lib_title\tlabel\n", "lacks the columns lib_author, lib_isbn13"),
        (HEADER.replace("origin", "source") + "\n", "lacks the column origin"),
        (HEADER + "\n", "a header and no pairs"),
        (f"{HEADER}\n{LINE}\n\nDune\tFrank Herbert\n", "line 4 has 2 cells, the header 12"),
        (f"{HEADER}\n{LINE}\n".replace("\t0\t", "\tno\t"), "line 2: label is 'no'"),
        (f"{HEADER}\n{LINE}\n".replace("sequel\t", "\t", 1), "line 2: origin is empty"),
        (f"{HEADER}\n{LINE}\n".replace("Messiah", "\0"), "line 2 holds a NUL character"),
        (f"{HEADER}\n{LINE}\n".encode("utf-16"), "is not UTF-8"),
    ],
)
def test_a_file_it_cannot_read_is_named_with_its_line(
    tmp_path: Path, text: str | bytes, message: str
) -> None:
    """And with what to do about it."""
    file = tmp_path / "pairs.tsv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(PlatformError) as error:
        read_pairs(file)
    assert message in str(error.value)


def test_marks_of_a_spreadsheet_are_no_matter(tmp_path: Path) -> None:
    """A byte order mark and line ends of Windows; a quote is a letter."""
    file = tmp_path / "pairs.tsv"
    file.write_bytes(f'\ufeff{HEADER}\r\n"{LINE}\r\n'.encode())
    (read,) = read_pairs(file)
    assert (read.lib_title, read.is_same, read.pair_id) == ('"Dune', False, "dune")


def test_a_missing_file_is_said_plainly(tmp_path: Path) -> None:
    """One sentence that says what to give, no traceback, before anything is started."""
    ended = run(tmp_path / "nowhere.tsv")
    assert ended.returncode == 1
    assert "nowhere.tsv cannot be read: No such file or directory" in ended.stderr
    assert "tests/benchmarks/pairs.tsv" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "title,authors\nDune,Frank Herbert\n",
            "must be a CSV whose header names work_id, title and authors",
        ),
        ("work_id,title,authors\n", "must be a CSV"),
        ("work_id,title,authors\n1,Dune,Frank Herbert\n2,Emma\n", "book 2 lacks"),
    ],
)
def test_a_catalogue_without_its_columns_is_refused(tmp_path: Path, text: str, message: str) -> None:
    """Before the pairs are judged."""
    file = tmp_path / "books.csv"
    file.write_text(text)
    with pytest.raises(PlatformError, match=message):
        read_catalogue(file)


def test_the_figures_are_written_as_promised(tmp_path: Path, stack: object) -> None:
    """The whole command on a few pairs and books: names of the JSON, the errors' file, the tables."""
    lines = OWN_PAIRS.read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "pairs.tsv").write_text("".join(lines[:40]), encoding="utf-8")
    (tmp_path / "books.csv").write_text(
        "work_id,title,authors\n"
        '1,"The Silent Orchard (Orchard, #1)","Amina Okoro, Jana Novak"\n'
        '2,"The Silent Orchard in Winter (Orchard, #2)",Amina Okoro\n'
        "3,Field Guide to Moths,Peter Lindqvist\n"
    )
    files = ["--json", tmp_path / "figures.json", "--errors", tmp_path / "errors.tsv"]
    ended = run(tmp_path / "pairs.tsv", *files, "--catalogue", tmp_path / "books.csv")
    assert ended.returncode == 0, ended.stderr
    assert "By origin: recall of Medium or better" in ended.stdout

    figures = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    promised = {"precision", "recall", "false_accept_rate", "by_origin"}
    for view in ("hidden", "shown"):
        assert promised | {"high_precision", "wrong_high", "consumer_recall"} <= figures[view].keys()
    assert set(figures["baselines"]) == {"request_rule", "pg_trgm", "rapidfuzz"}
    assert all(promised <= baseline.keys() for baseline in figures["baselines"].values())
    assert figures["shown"]["by_origin"].keys() == figures["origins"].keys()
    for speed in ("pairs_per_second", "raw_pairs_per_second", "rapidfuzz_pairs_per_second"):
        assert figures[speed] > 0
    books = figures["catalogue"]
    assert (books["titles"], books["pairs"], books["itself"]) == (3, 2, 1)
    assert books["wrong_by_request_rule"] == pytest.approx(1 / 3)
    errors = (tmp_path / "errors.tsv").read_text(encoding="utf-8").splitlines()
    assert len(errors[1:]) == figures["errors"]
