"""The lists that package and database share: supabase/data, of which `data` has those that are read here."""

from __future__ import annotations

from pathlib import Path

DATA = Path(__file__).with_name("data")


def read_list(name: str) -> list[list[str]]:
    """The lines of a list, cell by cell, without the first, which says what the list is for."""
    _, *lines = (DATA / f"{name}.tsv").read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines]
