"""Promises that would rot by hand: the docs name every verb, setting, command and room, and no other."""

import json
import re
from pathlib import Path

import pytest
from typer.main import get_command

from book_enrichment.cli import app
from book_enrichment.settings import FLAGS, Settings

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "supabase" / "docs"
LONGEST_README = 200
README = (ROOT / "README.md").read_text(encoding="utf-8")
API = (DOCS / "api.md").read_text(encoding="utf-8")
OPERATING = (DOCS / "operating.md").read_text(encoding="utf-8")
ARCHITECTURE = (DOCS / "architecture.md").read_text(encoding="utf-8")


async def public_verbs(connect) -> dict[str, str]:
    """Each function of ours in schema public, as `name(parameters)`."""
    connection = await connect()
    cursor = await connection.execute(
        """
        select p.proname as name, array_to_string(p.proargnames, ', ') as parameters
        from pg_proc as p
        where p.pronamespace = 'public'::regnamespace and p.prosrc like '%enrichment.%'
        """
    )
    return {row["name"]: row["parameters"] or "" for row in await cursor.fetchall()}


def section(page: str, heading: str) -> str:
    """What stands under a heading, up to the next of any level."""
    return re.split(r"^#+ ", page.split(f"# {heading}\n")[1], maxsplit=1, flags=re.MULTILINE)[0]


def test_the_readme_can_be_read_at_one_sitting() -> None:
    """What is longer has a page in supabase/docs."""
    assert len(README.splitlines()) <= LONGEST_README


async def test_every_verb_has_a_row_with_its_parameters(connect) -> None:
    """A verb that is added, renamed or given another parameter needs its row."""
    rows = dict(re.findall(r"^\| `(\w+)\(([^)]*)\)` \|", API, flags=re.MULTILINE))
    assert rows == await public_verbs(connect)


async def test_every_flag_has_a_row_with_its_default(connect) -> None:
    """Each environment variable that sets a flag is in the README's settings, and nothing else is."""
    connection = await connect()
    cursor = await connection.execute("select name, value from enrichment.list_settings()")
    defaults = {row["name"]: row["value"] or "" for row in await cursor.fetchall()}
    rows = re.findall(r"^\| `(ENRICHMENT_\w+)` \|(?: `([^`]*)`)? \|", README, flags=re.MULTILINE)
    assert dict(rows) == {f"ENRICHMENT_{flag.upper()}": defaults[flag] for flag in FLAGS}


def test_every_variable_is_named() -> None:
    """Those that are no flags as well: where the database is, keys, the page."""
    named = re.findall(r"`([A-Z]+_[A-Z_]+)`", section(OPERATING, "Environment variables"))
    read = {str(field.validation_alias) for field in Settings.model_fields.values()}
    assert set(named) == read


async def test_every_setting_has_a_row_with_its_default(connect) -> None:
    """As an installation has it; empty where it is null."""
    connection = await connect()
    cursor = await connection.execute("select name, value from enrichment.list_settings()")
    defaults = {row["name"]: row["value"] or "" for row in await cursor.fetchall()}
    rows = re.findall(r"^\| `(\w+)` \|(?: `([^`]*)`)? \|", section(OPERATING, "Settings"), flags=re.MULTILINE)
    assert dict(rows) == defaults


async def test_every_provider_has_a_row_with_its_limits(connect) -> None:
    """How often it is asked, and how many ISBNs a call takes."""
    connection = await connect()
    cursor = await connection.execute(
        "select provider, rate_per_second::text as rate, burst_size, keys_per_call from enrichment.providers"
    )
    limits = {
        (row["provider"], row["rate"], str(row["burst_size"]), str(row["keys_per_call"]))
        for row in await cursor.fetchall()
    }
    row = r"^\| `(\w+)` \| ([\d.]+) \| (\d+) \| [^|]+ \| (\d+) \|"
    rows = re.findall(row, section(OPERATING, "Providers"), re.MULTILINE)
    assert set(rows) == limits


def test_every_command_is_shown() -> None:
    """The command line's verbs, each with an example."""
    commands = get_command(app).commands
    shown = set(re.findall(r"^book-enrichment (\w+)", API, flags=re.MULTILINE))
    assert shown == set(commands)


def test_every_room_has_a_row() -> None:
    """Of the schemas, in the order in which they are loaded; and of the package."""
    schemas, package = (
        re.findall(r"^\| `([\w.]+)` \|", section(ARCHITECTURE, heading), re.MULTILINE)
        for heading in ("Rooms of supabase/schemas", "Rooms of the Python package")
    )
    assert schemas == sorted(room.name for room in (ROOT / "supabase" / "schemas").iterdir())
    there = list((ROOT / "python_client" / "book_enrichment").iterdir())
    files = {each.name for each in there if each.suffix == ".py"} - {"__init__.py"}
    assert set(package) == files | {each.name for each in there if (each / "__init__.py").exists()}


async def test_every_query_runs(connect) -> None:
    """What pages tell to look with, as the dashboard's role."""
    connection = await connect()
    inserted = await connection.execute("insert into public.works (title) values ('Dune') returning id::text")
    [work] = await inserted.fetchall()
    for page, block in found(r"(?s)```sql\n(.*?)```"):
        if page.name in ("operating.md", "matching.md"):
            await connection.execute(block.replace("…work id…", work["id"]))


def test_what_is_json_can_be_read() -> None:
    """Every example."""
    for _, block in found(r"(?s)```json\n(.*?)```"):
        json.loads(block)


PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md"), *(ROOT / ".github").rglob("*.md")])


def found(pattern: str) -> list[tuple[Path, str]]:
    """Where it stands in README, docs and .github: the page, and what the pattern's group has matched."""
    return sorted(
        {(page, match) for page in PAGES for match in re.findall(pattern, page.read_text(encoding="utf-8"))}
    )


@pytest.mark.parametrize(("page", "target"), found(r"`?make ([a-z][a-z-]*)`?"), ids=str)
def test_every_make_target_exists(page: Path, target: str) -> None:
    """What a page tells people to type is there."""
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)


@pytest.mark.parametrize(
    ("page", "path"), found(r"`((?:supabase|python_client|tests|\.github|\.ci)/[\w./-]+)`"), ids=str
)
def test_every_file_it_points_to_is_there(page: Path, path: str) -> None:
    """Files and folders that a page names exist."""
    assert (ROOT / path.rstrip("/")).exists()


@pytest.mark.parametrize(("page", "name"), found(r"`((?:[a-z_]+/)*[a-z_]+\.(?:py|sql|js|tsv))`"), ids=str)
def test_every_file_it_names_is_somewhere(page: Path, name: str) -> None:
    """Also where only the end of its path stands: `cli/showing.py`."""
    folders = [ROOT / folder for folder in ("supabase", "python_client", "tests")]
    assert any(str(file).endswith(f"/{name}") for folder in folders for file in folder.rglob("*.*"))


@pytest.mark.parametrize(("page", "link"), found(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\""), ids=str)
def test_every_link_leads_somewhere(page: Path, link: tuple[str, str]) -> None:
    """Pictures, other pages, and the headings that a link names."""
    path, _, heading = (link[0] or link[1]).partition("#")
    if path.startswith(("http://", "https://")):
        return
    target = (page.parent / path).resolve() if path else page
    assert target.exists()
    if heading:
        headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), flags=re.MULTILINE)
        assert heading in {
            re.sub(r"[^\w -]", "", each).strip().lower().replace(" ", "-") for each in headings
        }


@pytest.mark.parametrize(("page", "command"), found(r"book-enrichment ([a-z]+)\b"), ids=str)
def test_every_command_a_page_names_exists(page: Path, command: str) -> None:
    """And no other."""
    assert command in get_command(app).commands
