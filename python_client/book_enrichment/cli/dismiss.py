"""`dismiss`: none of this is the book."""

from __future__ import annotations

from book_enrichment.cli.common import (
    DECIDING,
    AsJson,
    ForReader,
    acting_database,
    app,
    finish,
)
from book_enrichment.cli.decisions import (
    All,
    OfConfidence,
    OfImport,
    OfProvider,
    OfSentence,
    QueueId,
    Yes,
    decide_all,
    is_for_all,
    show_decision,
)
from book_enrichment.database import Database
from book_enrichment.database.records import MatchingOutcome, ReviewOutcome


@app.command(
    rich_help_panel=DECIDING,
    epilog="Example: book-enrichment dismiss 0199…   or   book-enrichment dismiss --all --confidence low",
)
def dismiss(
    queue_id: QueueId = None,
    all_: All = False,
    confidence: OfConfidence = None,
    provider: OfProvider = None,
    sentence: OfSentence = None,
    import_id: OfImport = None,
    yes: Yes = False,
    user: ForReader = None,
    as_json: AsJson = False,
) -> None:
    """Not this book: close a row in review, and never propose its candidates for the book again.

    With --all first counts, and asks; where nobody can be asked, --yes dismisses."""
    if is_for_all(queue_id, all_, confidence, provider, sentence, import_id):

        async def decide(database: Database, is_dry_run: bool) -> MatchingOutcome:
            return await database.dismiss_matching(confidence, provider, sentence, import_id, is_dry_run)

        decide_all("dismiss", decide, yes, user, as_json)
    else:
        assert queue_id is not None

        async def work() -> ReviewOutcome | None:
            async with acting_database(user) as database:
                return await database.dismiss_enrichment(queue_id)

        show_decision("dismissed", finish(work()), as_json)
