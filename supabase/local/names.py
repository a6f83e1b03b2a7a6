"""What `make generated` writes into supabase/schemas/20_text/names.sql: the lists of names in supabase/data.

A list begins with what it is for, behind a #; then come two columns, separated by a tab: a name as folding
leaves it, and the one it is best known by. In the database each becomes a function that answers one JSON
constant, which Postgres reads once a plan.
"""

import json
import textwrap
from pathlib import Path

from packages import ROOT

DATA = ROOT / "supabase" / "data"
WIDTH = 139
HEAD = """\
-- Generated from supabase/data/*.tsv by `make generated`: what books and people are called elsewhere.
-- title_glossary: single words; known_titles: whole titles; pen_names: people who write under several names.
"""
NAMES = ("title_glossary", "known_titles", "pen_names")
FUNCTION = """
create function enrichment.{name}()
returns jsonb
language plpgsql immutable parallel safe set search_path = ''
as $$
begin
    return
{constant}
end
$$;
comment on function enrichment.{name}() is
'{comment}';
"""


def read_list(file: Path) -> tuple[str, dict[str, str]]:
    """What a list is for, and its names, each with the one it is best known by. ValueError names a bad
    line."""
    names: dict[str, str] = {}
    purpose, *lines = file.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, start=2):
        name, tab, known_as = line.partition("\t")
        if not (name and tab and known_as) or name in names:
            raise ValueError(
                f"{file.name}, line {number}: a new name, a tab and the name it is known by, please"
            )
        names[name] = known_as
    return purpose.removeprefix("# "), names


def constant(names: dict[str, str]) -> str:
    """A JSON object as lines of SQL, filled as far as they go."""
    pairs = [
        f"{json.dumps(name, ensure_ascii=False)}: {json.dumps(known, ensure_ascii=False)}"
        for name, known in sorted(names.items())
    ]
    unbroken = "\x00"
    text = "'{" + ", ".join(pair.replace(" ", unbroken) for pair in pairs).replace("'", "''") + "}'::jsonb;"
    lines = textwrap.wrap(text, WIDTH - 8, break_long_words=False, break_on_hyphens=False)
    return textwrap.indent("\n".join(lines).replace(unbroken, " "), " " * 8)


def generated() -> str:
    """What names.sql should read."""
    functions = []
    for name in NAMES:
        purpose, names = read_list(DATA / f"{name}.tsv")
        comment = purpose.replace("'", "''")
        functions.append(FUNCTION.format(name=name, constant=constant(names), comment=comment))
    return HEAD + "".join(functions)
