"""`usage`: how much of the free tier is used."""

from __future__ import annotations

from rich.table import Table

from book_enrichment.cli.common import (
    LOOKING,
    AsJson,
    ForReader,
    acting_database,
    app,
    as_dicts,
    finish,
    from_now,
    out,
    print_json,
    spelled,
)
from book_enrichment.cli.showing import megabytes, meter, reason_lines
from book_enrichment.database.records import UsageLine


@app.command(rich_help_panel=LOOKING, epilog="Example: book-enrichment usage   or   … usage --json")
def usage(user: ForReader = None, as_json: AsJson = False) -> None:
    """Show how much of the free tier is used: database, covers, provider calls of today, what waits."""

    async def work() -> list[UsageLine]:
        async with acting_database(user) as database:
            return await database.enrichment_usage()

    lines = finish(work())
    if as_json:
        print_json({"items": as_dicts(lines)})
        return
    table = Table("what", "", "used", "of", "", "until", title="Free tier")
    table.columns[2].justify = table.columns[3].justify = "right"
    for line in lines:
        amount = megabytes if line.unit == "bytes" else str
        table.add_row(
            line.meter,
            spelled(line.subject),
            amount(line.used),
            "" if line.allowed is None else amount(line.allowed),
            meter(line.used, line.allowed),
            from_now(line.until),
        )
    out.print(table)
    for explanation in reason_lines(line.subject for line in lines if line.meter == "waiting"):
        out.print(explanation)
