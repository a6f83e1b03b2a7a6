"""How books, values and meters look in a terminal; shared by the commands that look and those that decide.

What comes from a provider is never read as markup, and loses the characters that a terminal would obey.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from book_enrichment.cli.common import plain
from book_enrichment.database.records import CoverReport, ListedRow
from book_enrichment.fields import FIELDS, NAMES
from book_enrichment.reasons import explained

KINDS = {field.name: field.kind for field in FIELDS}
# As people call each field: in lower case but for what is an abbreviation.
LABELS = {field.name: field.label if field.label[:2].isupper() else field.label.lower() for field in FIELDS}

LONGEST_VALUE = 280
BAR_CELLS = 24


@dataclass(frozen=True, slots=True)
class Proposal:
    """A value for one field, beside the one that is there."""

    field: str
    value: str
    current: str | None
    provider: str
    source_url: str | None
    confidence: str | None


@dataclass(frozen=True, slots=True)
class Choice:
    """A book that may be the one: the only one proposed, or one of several rivals."""

    candidate: str | None  # None: the best, as approve_enrichment takes it
    title: str
    authors: str
    provider: str
    source_url: str | None
    sentence: str
    proposals: tuple[Proposal, ...]


def choices_of(row: ListedRow) -> list[Choice]:
    """What a row in review can be approved as: what it proposes, then each rival that fits nearly as well."""
    details = row.match_details or {}
    described = {each.get("candidate"): each for each in details.get("candidates") or ()}
    rivals = details.get("rivals") or []
    proposed = tuple(
        Proposal(
            field,
            shown(field, proposal.get("value")),
            optional(field, proposal.get("current")),
            proposal.get("provider") or "",
            proposal.get("source_url"),
            proposal.get("confidence"),
        )
        for field, proposal in in_order(row.proposals)
    )
    best = _described(described.get(rivals[0]) if rivals else next(iter(described.values()), None), proposed)
    best = replace(best, candidate=rivals[0] if rivals else None, sentence=row.sentence or best.sentence)
    return [best, *(_rival(row, described.get(rival) or {"candidate": rival}) for rival in rivals[1:])]


def _rival(row: ListedRow, about: Mapping[str, Any]) -> Choice:
    proposals = tuple(
        Proposal(
            field,
            shown(field, value),
            optional(field, row.current_values.get(field)),
            about.get("provider") or "",
            about.get("source_url"),
            about.get("confidence"),
        )
        for field, value in in_order(about.get("values") or {})
    )
    return _described(about, proposals)


def _described(about: Mapping[str, Any] | None, proposals: tuple[Proposal, ...]) -> Choice:
    about = about or {}
    return Choice(
        about.get("candidate"),
        about.get("title") or "",
        about.get("authors") or "",
        about.get("provider") or "",
        about.get("source_url"),
        about.get("sentence") or "",
        proposals,
    )


def in_order(values: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    """Fields as a panel shows them, covers first; those it does not know last."""
    return sorted(
        values.items(), key=lambda item: (NAMES.index(item[0]) if item[0] in NAMES else len(NAMES), item[0])
    )


def proposal_table(
    proposals: Iterable[Proposal], source_url: str | None = None, ticked: Mapping[str, bool] | None = None
) -> Table:
    """Today's values beside what is proposed; a value that is there stays.

    A book's address is told where it is another than `source_url`. With `ticked` a letter and a box before
    each field.
    """
    table = Table(
        *(("", "") if ticked is not None else ()), "field", "today", "proposed", "from", expand=True
    )
    for letter, proposal in zip(LETTERS, proposals, strict=False):
        boxes: tuple[RenderableType, ...] = ()
        if ticked is not None:
            boxes = (letter, Text("[x]" if ticked[proposal.field] else "[ ]"))
        elsewhere = proposal.source_url if proposal.source_url != source_url else None
        table.add_row(
            *boxes,
            field_label(proposal.field),
            today(proposal.current),
            text(proposal.value),
            source_text(proposal.provider, elsewhere, proposal.confidence),
        )
    return table


def today(current: str | None) -> Text:
    """The value that is there, which nothing overwrites, or that there is none."""
    if current is None:
        return Text("empty", style="dim")
    return text(current).append(" (stays)", style="dim")


# One key a field, none of which means something else while fields are chosen.
LETTERS = "abcdefghijklmno"


def field_label(field: str) -> str:
    """A field as people call it."""
    return LABELS.get(field, field)


def field_names(names: Iterable[str]) -> list[str]:
    """Fields as the database calls them, from that or from what a panel calls them or ends them in."""
    known = {label.lower(): field for field, label in LABELS.items()}
    known |= {field.partition(".")[2]: field for field in NAMES}
    return [known.get(name.lower(), name) for name in names]


def fields_told(fields: Iterable[str]) -> str:
    """Several fields in a sentence."""
    return ", ".join(field_label(field) for field, _ in in_order(dict.fromkeys(fields))) or "nothing"


def source_text(provider: str, source_url: str | None, confidence: str | None = None) -> Text:
    """Whose value it is, with a link to the book where the terminal knows links, written out where not."""
    told = text(provider + (f", {confidence}" if confidence else ""))
    told.overflow = "fold"
    if source_url and source_url.startswith("https://"):
        told.append("\n")
        told.append(plain(source_url), style=f"link {plain(source_url)}")
    return told


def text(value: object) -> Text:
    """A value from outside: no markup, one line, not too long."""
    told = plain(value)
    return Text(told if len(told) <= LONGEST_VALUE else told[: LONGEST_VALUE - 1] + "…", overflow="fold")


def shown(field: str, value: Any) -> str:
    """A field's JSON value as a person reads it."""
    if value is None:
        return ""
    if KINDS.get(field) == "minutes":
        return f"{int(value) // 60} h {int(value) % 60} min"
    return str(value)


def optional(field: str, value: Any) -> str | None:
    """The same, where there may be none."""
    return shown(field, value) or None


def meter(used: int, allowed: int | None) -> Text:
    """A bar and a percentage; the colour changes at 80 and at 95 %, and the figure says it without colour."""
    if not allowed:
        return Text("")
    share = used / allowed
    full = min(round(share * BAR_CELLS), BAR_CELLS)
    colour = "red" if share >= 0.95 else "yellow" if share >= 0.8 else "green"
    bar = Text("█" * full, style=colour).append("░" * (BAR_CELLS - full), style="dim")
    return bar.append(f" {share * 100:.0f} %", style="default")


def reason_lines(words: Iterable[str | None]) -> list[Text]:
    """What those of the words that are on our list mean, a line each, to stand under a table."""
    return [Text(line, style="dim") for line in explained(words)]


def megabytes(count: int) -> str:
    """Bytes as the free tier counts them."""
    return f"{count / 1024**2:.1f} MB"


def cover_line(covers: CoverReport) -> str:
    """How storing covers stands, in a sentence or two."""
    used, budget = megabytes(covers.bytes), megabytes(covers.budget_bytes)
    line = f"Covers: {covers.images} stored, {used} of {budget}; {covers.pending} to go"
    if covers.wait_reason == "storage_budget":
        return line + ". The budget is reached (storage_budget): new covers stay hot-linked."
    return line + (f" ({covers.wait_reason})." if covers.wait_reason else ".")
