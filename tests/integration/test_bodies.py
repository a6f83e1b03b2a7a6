"""What `make lint` finds between $$ and in the page's scripts, and what is too long: each rule on a sample of
what it is against."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import sqlfluff

import bodies
import checks
from bodies import bare, too_long, write_bare
from checks import biome_command
from packages import LOCAL, ROOT

PLPGSQL = """\
create function enrichment.f(ids uuid[])
returns setof public.works
language plpgsql set search_path = ''
as $$
declare
    n integer;
begin
{}
end
$$;
"""
SQL = """\
create function enrichment.f(ids uuid[])
returns setof public.works
language sql set search_path = ''
as $$
{}
$$;
"""


def findings(text: str) -> set[str]:
    """The codes of sqlfluff's rules that the bodies of a schema file break, in its words for parsing too."""
    return {found["code"] for found in sqlfluff.lint(bare(text), config_path=str(ROOT / ".sqlfluff"))}


@pytest.mark.parametrize(
    "body",
    [
        "    if not exists (select 1 from public.works) then\n        return;\n    end if;",
        "    perform enrichment.g(f.ids);",
        "    n := (select count(*) from public.works);",
        "    select count(*), max(w.id) into n, m\n    from public.works as w;",
        "    return query\n    select w.* from public.works as w where w.title is distinct from f.title;",
        "    if n > 1\n        and n < 3\n    then\n        n := case when n = 2 then 1 end;\n    end if;",
        "    return query\n    select exists (select 1 from public.editions) as has_one, 1 as one;",
        "    return query execute 'select 1' using n;",
        "    for n in select 1 loop\n        perform 1;\n    end loop;",
    ],
)
def test_what_is_well_written_passes(body):
    assert findings(PLPGSQL.format(body)) == set()


@pytest.mark.parametrize(
    ("code", "statement"),
    [
        ("ST03", "with unused as (select 1 as one) select w.* from public.works as w"),
        ("AL05", "select w.* from public.works as w cross join public.editions as e"),
        ("AL01", "select w.* from public.works w"),
        ("CP01", "SELECT w.* from public.works as w"),
        ("CP03", "select w.*, Coalesce(w.title, '') from public.works as w"),
        ("CP04", "select w.*, NULL from public.works as w"),
        ("LT01", "select  w.* from public.works as w"),
        ("ST01", "select case when true then 1 else null end"),
    ],
)
def test_each_rule_reads_bodies_in_both_languages(code, statement):
    assert code in findings(SQL.format(f"    {statement}"))
    assert code in findings(PLPGSQL.format(f"    return query\n    {statement};"))


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("CP03", "    n := COUNT(1);"),
        ("CP03", "    return COUNT(1);"),
        ("LT01", "    if n  = 1 then\n        return;\n    end if;"),
        ("LT01", "    perform enrichment.g(n,n);"),
        ("LT01", "    insert into public.works (title) values ('a') ;"),
        ("LT01", "    delete from public.works as w where w.id = any(f.ids) \n        and w.title = '';"),
    ],
)
def test_expressions_of_plpgsql_are_read_too(code, line):
    assert code in findings(PLPGSQL.format(line))


def test_a_finding_stands_on_its_line():
    text = SQL.format("    select w.id\n    FROM public.works as w")
    (found,) = sqlfluff.lint(bare(text), config_path=str(ROOT / ".sqlfluff"))
    assert found["start_line_no"] == text.splitlines().index("    FROM public.works as w") + 1


def test_what_is_generated_is_left_out(tmp_path):
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "names.sql").write_text(
        f"{bodies.GENERATED} from a list\n" + SQL.format("    SELECT 1")
    )
    (tmp_path / "schemas" / "f.sql").write_text(SQL.format("    select 1"))
    write_bare(tmp_path / "schemas", tmp_path / "bare")
    assert [file.name for file in (tmp_path / "bare").iterdir()] == ["f.sql"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"select {'1' * 134};\n", ["1: 142 columns"]),
        (f"select {'1' * 132};\n", []),
        (SQL.format(f"    select {'1' * 140}"), ["5: 151 columns"]),
        (f"comment on function enrichment.f(uuid[]) is\n'{'a' * 200}';\n", []),
        (f"comment on function enrichment.f(\n    uuid\n) is\n'{'a' * 200}';\n", []),
        (SQL.format("\n".join(["    select 1;"] * 56)), ["1: enrichment.f has 61 lines"]),
        (SQL.format("\n".join(["    select 1;"] * 55)), []),
        ("select 1;\n" * 401, ["1: 401 lines"]),
        ("select 1;\n" * 400, []),
        (f"{bodies.GENERATED} from a list\n" + "select 1;\n" * 401, []),
    ],
)
def test_what_is_too_long_is_named(tmp_path, text, found):
    file = tmp_path / "f.sql"
    file.write_text(text)
    assert [finding.removeprefix(f"{file}:").split(";")[0] for finding in too_long(file)] == found


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("f.py", "def f():\n" + "    g()\n" * 60, ["1: f has 61 lines"]),
        ("f.py", "@g\ndef f():\n" + "    g()\n" * 59, []),
        ("f.py", "class F:\n    async def f(self):\n" + "        g()\n" * 60, ["2: f has 61 lines"]),
        ("f.py", "class F:\n" + "    def f(self): ...\n" * 100, []),
        ("f.py", "f()\n" * 401, ["1: 401 lines"]),
        ("f.js", "f();\n" * 401, ["1: 401 lines"]),
        ("f.js", "f();\n" * 400, []),
    ],
)
def test_python_and_the_page_are_measured_too(tmp_path, name, text, found):
    """Of Python each function, also one within another or a class; of the page's scripts the whole file."""
    file = tmp_path / name
    file.write_text(text)
    assert [finding.removeprefix(f"{file}:").split(";")[0] for finding in too_long(file)] == found


def test_every_file_that_people_read_is_measured(tmp_path, monkeypatch, capsys):
    """Schemas, modules and scripts; what is generated or others wrote may be as long as it likes."""
    for name in ("f.sql", "f.py", "f.js", "vendor/f.js", "records.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("\n" * 401)
    monkeypatch.setattr(checks, "SCHEMAS", tmp_path)
    monkeypatch.setattr(checks, "PAGE", tmp_path)
    monkeypatch.setattr(checks, "PYTHON", (tmp_path,))
    monkeypatch.setattr(checks, "RECORDS", tmp_path / "records.py")
    assert not checks._is_readable()
    found = [line.removeprefix(f"{tmp_path}/") for line in capsys.readouterr().out.splitlines()]
    assert found == [f"{name}:1: 401 lines; 400 are the most" for name in ("f.js", "f.py", "f.sql")]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Inside the repository: Biome follows no import outside of it."""
    LOCAL.mkdir(exist_ok=True)
    with TemporaryDirectory(dir=LOCAL) as folder:
        yield Path(folder)


def test_the_page_is_linted(folder):
    """One run over a script for each rule; what others wrote is left out."""
    samples = {
        "noUndeclaredVariables": "export const one = two;",
        "noUnusedVariables": "const one = 1;",
        "noUnusedImports": "import { one } from './useConst.js';",
        "noUnresolvedImports": "import { nobody } from './useConst.js';\nexport const f = nobody;",
        "noUnusedFunctionParameters": "export function f(one) { return 1; }",
        "noParameterAssign": "export function f(one) { one = 1; return one; }",
        "useConst": "let one = 1;\nexport { one };",
        "noVar": "var one = 1;\nexport { one };",
        "noImportCycles": "export * from './noImportCyclesBack.js';",
        "noImportCyclesBack": "export * from './noImportCycles.js';",
        "noDoubleEquals": "export const f = (one) => one == 1;",
        "parse": "export const = 1;",
    }
    for rule, script in samples.items():
        (folder / f"{rule}.js").write_text(script + "\n")
    (folder / "vendor").mkdir()
    (folder / "vendor" / "foreign.js").write_text("var one = two;\n")
    command = [*biome_command(folder), "--reporter=json"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    found = {
        (diagnostic["category"].split("/")[-1], Path(diagnostic["location"]["path"]).stem)
        for diagnostic in json.loads(done.stdout)["diagnostics"]
    }
    assert {(rule, rule) for rule in samples if not rule.endswith("Back")} <= found
    assert not [name for _, name in found if re.search("foreign", name)]
