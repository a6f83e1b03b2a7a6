"""Why a row waits, in a sentence for each word: read from `data/reasons.tsv`, which ships with the package.

The words come from the database (`wait_reason`) and from the worker, which gives rows back with one. A row
may carry a word that is not on the list, from a worker or a version that is not ours; it is shown as it is.
"""

from __future__ import annotations

from collections.abc import Iterable

from book_enrichment.lists import read_list

LINES = read_list("reasons")
REASONS = {word: sentence for word, sentence, _ in LINES}
"""Each word and what it means to a reader."""


def explained(words: Iterable[str | None]) -> list[str]:
    """A line for each of these words that is on the list, each once: `rate: Sources are asked slowly, …`."""
    return [f"{word}: {REASONS[word]}" for word in dict.fromkeys(words) if word in REASONS]
