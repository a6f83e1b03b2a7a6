"""The SQL between $$, which sqlfluff does not read, laid bare for it; and what is too long to be read.

A body in language sql is SQL already. Of one in plpgsql each statement and expression is made SQL, line by
line: `perform f(x);` is `select f(x);`, and what a variable is set to, an `if` asks or a `return` answers is
put in a `where`. What is left out (loops, `execute`, handlers) is for plpgsql_check.
"""

import ast
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from packages import ROOT

GENERATED = "-- Generated"  # how a file begins that nobody reads
MOST_COLUMNS = 140
MOST_LINES = 400
MOST_LINES_OF_A_FUNCTION = 60

COMMENT = re.compile(r"comment on |\) is$")
LANGUAGE = re.compile(r"language (\w+)\b")
FUNCTION = re.compile(r"create function ([\w.]+)")
ENDS = (";", "begin", "declare", "then", "else", "loop", "return query", "as $$")
# What stands before SQL in plpgsql, and in its place.
BEGINNINGS = {
    re.compile(r"(\s+)return query (?!execute)"): r"\1",
    re.compile(r"(\s+)perform "): r"\1select ",
    re.compile(
        r"(\s+)(?:(?:els)?if|exit when|return(?! query)|\w[\w.\[\]\" ]* :=) "
    ): r"\1select true where ",
    re.compile(r"(\s+)(?=(?:with|select|insert into|update|delete from)\b)", re.IGNORECASE): r"\1",
}
INTO = re.compile(r"(?<!insert)\s+into [\w.]+(?:, [\w.]+)*(?=$|;| from )")
# In a list of columns sqlfluff takes the `from` of it for the end of the list, and `exists (` for a function.
MISREAD = {
    re.compile(r"is (?:not )?distinct from"): "<>",
    re.compile(r"(?<!not )exists \("): "not exists (",
}


def bare(text: str) -> str:
    """What a schema file has in bodies, as SQL on the same lines; every other line is an empty comment."""
    language = body = begun = before = ""
    lines = []
    for line in text.splitlines():
        if line == "$$;":
            lines[-1] += ";" if body == "sql" else ""
            body = begun = ""
        first = ""
        if body == "plpgsql" and not begun and before.endswith(ENDS):
            first = next(
                (start.sub(sql, line, 1) for start, sql in BEGINNINGS.items() if start.match(line)), ""
            )
            begun = first and ("then" if re.match(r"\s+(?:els)?if ", line) else ";")
        kept = first or (line if body == "sql" or begun else "")
        if body == "plpgsql" and begun:
            kept = INTO.sub("", kept)
            if begun == "then" and line.endswith(" then"):
                kept = kept.removesuffix("then").rstrip()
                lines[-1] += "" if kept else ";"
                kept += ";" if kept else ""
            if line.endswith(begun):
                begun = ""
        for misread, clear in MISREAD.items():
            kept = misread.sub(clear, kept)
        lines.append(kept or "--")
        language = match[1] if (match := LANGUAGE.match(line)) else language
        body = language if line == "as $$" else body
        before = line if line.strip() and not line.lstrip().startswith("--") else before
    return "\n".join(lines) + "\n"


def write_bare(schemas: Path, target: Path) -> None:
    """A folder with the bare bodies of each schema file that people read, under the same name."""
    shutil.rmtree(target, ignore_errors=True)
    for file in schemas.rglob("*.sql"):
        text = file.read_text()
        place = target / file.relative_to(schemas)
        place.parent.mkdir(parents=True, exist_ok=True)
        if not text.startswith(GENERATED):
            place.write_text(bare(text))


def too_long(file: Path) -> Iterator[str]:
    """Each line, function and file of what people read that is longer than they like, as `file:line: what`.

    A comment on an object is one literal, which has no place to break. How long a function of JavaScript is,
    nobody counts.
    """
    lines = file.read_text().splitlines()
    if lines[:1] and lines[0].startswith(GENERATED):
        return
    name = file.relative_to(ROOT) if file.is_relative_to(ROOT) else file
    if len(lines) > MOST_LINES:
        yield f"{name}:1: {len(lines)} lines; {MOST_LINES} are the most"
    before = ""
    for number, line in enumerate(lines, 1):
        if len(line) > MOST_COLUMNS and not COMMENT.match(line) and not COMMENT.match(before):
            yield f"{name}:{number}: {len(line)} columns; {MOST_COLUMNS} are the most"
        before = line
    for function, start, end in _functions(file.suffix, lines):
        if (length := end - start + 1) > MOST_LINES_OF_A_FUNCTION:
            yield f"{name}:{start}: {function} has {length} lines; {MOST_LINES_OF_A_FUNCTION} are the most"


def _functions(suffix: str, lines: list[str]) -> Iterator[tuple[str, int, int]]:
    """Name, first and last line of each function in SQL and Python, those inside others too."""
    if suffix == ".py":
        for node in ast.walk(ast.parse("\n".join(lines))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node.name, node.lineno, node.end_lineno or node.lineno
    elif suffix == ".sql":
        function, start = "", 0
        for number, line in enumerate(lines, 1):
            if match := FUNCTION.match(line):
                function, start = match[1], number
            if line == "$$;" and function:
                yield function, start, number
