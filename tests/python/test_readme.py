"""Promises that would rot by hand: the README names every verb, variable and command, and no other."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from book_enrichment.cli import app
from book_enrichment.settings import FLAGS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


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


async def test_every_verb_has_a_row_with_its_parameters(connect) -> None:
    """A verb that is added, renamed or given another parameter needs its README row."""
    rows = dict(re.findall(r"^\| `(\w+)\(([^)]*)\)` \|", README, flags=re.MULTILINE))
    assert rows == await public_verbs(connect)


def test_every_flag_has_a_row() -> None:
    """Each environment variable that sets a flag is in the settings table, and nothing else is."""
    rows = re.findall(r"^\| `(ENRICHMENT_\w+)` \|", README, flags=re.MULTILINE)
    assert sorted(rows) == sorted(f"ENRICHMENT_{flag.upper()}" for flag in FLAGS)


def test_every_command_is_shown() -> None:
    """The command line's verbs, each with an example."""
    commands = get_command(app).commands
    shown = set(re.findall(r"^book-enrichment (\w+)", README, flags=re.MULTILINE))
    assert shown == set(commands)


PAGES = [ROOT / "README.md", *sorted((ROOT / "supabase" / "docs").glob("*.md"))]


def found(pattern: str) -> list[tuple[Path, str]]:
    """Where it stands in README and docs: the page, and what the pattern's group has matched."""
    return sorted(
        {(page, match) for page in PAGES for match in re.findall(pattern, page.read_text(encoding="utf-8"))}
    )


@pytest.mark.parametrize(("page", "target"), found(r"`?make ([a-z][a-z-]*)`?"), ids=str)
def test_every_make_target_exists(page: Path, target: str) -> None:
    """What a page tells people to type is there."""
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)


@pytest.mark.parametrize(("page", "path"), found(r"`(supabase/[\w./]+)`"), ids=str)
def test_every_file_it_points_to_is_there(page: Path, path: str) -> None:
    """Files and folders that a page names exist."""
    assert (ROOT / path.rstrip("/")).exists()


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
