"""`explain`: every candidate for a book, and why it scored as it did."""

from __future__ import annotations

from collections.abc import Iterable
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
)
from book_enrichment.cli.showing import (
    source_text,
    text,
)
from book_enrichment.database.records import (
    ExplainedCandidate,
)


@app.command(
    rich_help_panel=LOOKING, epilog="Example: book-enrichment explain 6f2c0a51-6d1e-4b43-8ae1-0f7f9d6f8f11"
)
def explain(
    work_id: Annotated[UUID, typer.Argument(metavar="WORK", help="The id of a work.")],
    user: ForReader = None,
    as_json: AsJson = False,
) -> None:
    """Show every candidate for a book: the parts of its score, the sentence on top of them, where to look."""

    async def work() -> list[ExplainedCandidate]:
        async with acting_database(user) as database:
            return await database.explain_enrichment(work_id)

    candidates = finish(work())
    if as_json:
        print_json({"work_id": work_id, "candidates": as_dicts(candidates)})
    elif candidates:
        out.print(candidate_table(candidates))
    else:
        out.print(f"No provider was asked lately, or none knows it: book-enrichment enqueue {work_id} asks.")


def candidate_table(candidates: Iterable[ExplainedCandidate]) -> Table:
    """Candidates side by side, the best first."""
    table = Table("", "candidate", "title", "author", "ISBN", "tier", "because", title="Candidates")
    table.columns[1].overflow = "fold"
    for each in candidates:
        author = "?" if each.author_score is None else f"{each.author_score}/3"
        book = (text(each.title), text(f"by {each.authors or 'nobody'}"))
        tier = f"{each.confidence}, dismissed" if each.is_dismissed else each.confidence
        table.add_row(
            str(each.place),
            Text("\n").join([*book, source_text(each.provider, each.source_url)]),
            f"{each.title_score}/4",
            author,
            f"{each.isbn_score}/5",
            tier,
            text(each.sentence),
            style="dim" if each.is_dismissed else "",
        )
    return table
