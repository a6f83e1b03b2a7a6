"""`preview`: what would happen to books, nothing written."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import typer
from rich.table import Table
from rich.text import Text

from book_enrichment.cli.common import (
    LOOKING,
    AsJson,
    ForReader,
    acting_database,
    app,
    as_dicts,
    finish,
    out,
    print_json,
    spelled,
)
from book_enrichment.cli.showing import (
    field_label,
    in_order,
    optional,
    shown,
    source_text,
    text,
    today,
)
from book_enrichment.database.records import (
    Preview,
)


@app.command(
    rich_help_panel=LOOKING, epilog="Example: book-enrichment preview 6f2c0a51-6d1e-4b43-8ae1-0f7f9d6f8f11"
)
def preview(
    work_ids: Annotated[list[UUID], typer.Argument(metavar="WORK…", help="Works, by id.")],
    user: ForReader = None,
    as_json: AsJson = False,
) -> None:
    """Show what would happen to books if they were looked up now. Nothing is written, nobody is asked."""

    async def work() -> list[Preview]:
        async with acting_database(user) as database:
            return await database.preview_enrichment(work_ids)

    previews = finish(work())
    if as_json:
        print_json({"items": as_dicts(previews)})
        return
    for each in previews:
        out.print(preview_line(each))
        if each.values:
            out.print(preview_table(each))


def preview_line(each: Preview) -> Text:
    """What would become of a work, in a sentence."""
    line = Text(f"{each.work_id}  ").append(
        spelled(each.status) if each.status else "would not be queued", style="bold"
    )
    waits = each.wait_reason and f"waits: {spelled(each.wait_reason)}"
    for about in (each.confidence and f"confidence {each.confidence}", each.sentence, waits):
        if about:
            line.append_text(text(f", {about}"))
    for lookup in each.lookups:
        line.append_text(text(f", asks {lookup.provider} by {lookup.kind} {lookup.key}"))
    return line


def preview_table(each: Preview) -> Table:
    """Field by field: today's value, and what would be written or proposed."""
    table = Table("field", "today", "would be", "value", "from")
    for field, value in in_order(each.values):
        table.add_row(
            field_label(field),
            today(optional(field, value.get("current"))),
            "written" if value.get("is_applied") else "proposed",
            text(shown(field, value.get("value"))),
            source_text(value.get("provider") or "", None, value.get("confidence")),
        )
    return table
