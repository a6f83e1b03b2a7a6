"""SQL tests are found where their function is: supabase/tests/<room>/<function>/<behaviour>.sql."""

import re
from pathlib import Path

from packages import ROOT

TESTS, SCHEMAS = ROOT / "supabase" / "tests", ROOT / "supabase" / "schemas"
MADE = re.compile(r"create (?:function|table|view)(?: if not exists)? (?:enrichment|public)\.(\w+)")
CONVENTIONS = "conventions"  # of all rooms at once


def made_in(room: Path) -> set[str]:
    """What the room's files make; a verb's private twin goes by the verb's name."""
    names = {name for file in room.glob("*.sql") for name in MADE.findall(file.read_text(encoding="utf-8"))}
    return {name.removesuffix("_impl") for name in names}


def test_what_is_tested_is_made_in_the_room_of_its_tests() -> None:
    """A function that moves, or is renamed, takes its tests along."""
    rooms = {room.name[3:]: made_in(room) for room in SCHEMAS.iterdir()}
    folders = [folder for folder in TESTS.glob("*/*") if folder.is_dir()]
    assert folders
    misplaced = [folder for folder in folders if folder.name not in rooms.get(folder.parent.name, set())]
    assert [str(folder.relative_to(ROOT)) for folder in misplaced] == []


def test_each_verb_has_tests() -> None:
    """What may be called from outside has a folder of its name."""
    assert made_in(SCHEMAS / "90_api") - {folder.name for folder in TESTS.glob("*/*")} == set()


def test_each_behaviour_has_a_file_in_the_folder_of_a_function() -> None:
    """Beside them there are the conventions and the verbs that tests speak in, and nothing else."""
    places = {file.relative_to(TESTS).parts for file in TESTS.rglob("*.sql")}
    assert {parts[0] for parts in places if len(parts) != 3} == {CONVENTIONS, "helpers.sql"}
