"""The settings that live in the database, where every worker sees the same ones: shown, and changed."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.table import Table

from book_enrichment.cli.common import (
    BAD_USAGE,
    OPERATING,
    AsJson,
    acting_database,
    app,
    as_dicts,
    err,
    finish,
    give_up,
    out,
    plain,
    print_json,
    read_settings,
)
from book_enrichment.database.records import Setting

settings_app = typer.Typer(
    no_args_is_help=True,
    epilog="Example: book-enrichment settings show   or   book-enrichment settings set batch_size=20",
)
app.add_typer(
    settings_app,
    name="settings",
    rich_help_panel=OPERATING,
    help="Show the settings that live in the database, or change them.",
)


@settings_app.command(epilog="Example: book-enrichment settings show auto_enabled contact")
def show(
    names: Annotated[
        list[str] | None, typer.Argument(help="Which ones; all when none is named.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the settings, each with what it means."""
    settings = _configured({})
    if unknown := set(names or ()) - {setting.name for setting in settings}:
        give_up(BAD_USAGE, f"unknown setting: {', '.join(sorted(unknown))}", "leave the names out to see all")
    _show([setting for setting in settings if not names or setting.name in names], as_json)


@settings_app.command(
    "set", epilog="Example: book-enrichment settings set auto_enabled=true contact=you@your-library.org"
)
def set_(
    changes: Annotated[list[str], typer.Argument(metavar="NAME=VALUE…", help="null empties a setting.")],
    as_json: AsJson = False,
) -> None:
    """Change settings, all or none. Workers see it with their next call, and waiting rows wake."""
    values = dict(_parsed(change) for change in changes)
    settings = _configured(values)
    for name in read_settings().flags().keys() & values.keys():
        err.print(f"[yellow]ENRICHMENT_{name.upper()} is set here[/]: a worker started here writes it again.")
    _show([setting for setting in settings if setting.name in values], as_json)


def _configured(changes: dict[str, Any]) -> list[Setting]:
    async def work() -> list[Setting]:
        async with acting_database() as database:
            return await database.configure_enrichment(changes)

    return finish(work())


def _parsed(change: str) -> tuple[str, Any]:
    """`name=value` for the database: what reads as JSON (20, true, null, ["…"]) is that, else text."""
    name, equals, value = change.partition("=")
    if not equals or not name:
        give_up(BAD_USAGE, f"{change} is not name=value", "for example batch_size=20")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


def _show(settings: list[Setting], as_json: bool) -> None:
    if as_json:
        print_json({"settings": as_dicts(settings)})
        return
    table = Table("setting", "value", "means")
    for setting in settings:
        table.add_row(setting.name, plain(setting.value or ""), setting.description)
    out.print(table)
