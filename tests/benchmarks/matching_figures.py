"""What is counted of judged pairs: precision, recall, false accepts, by origin; and what was wrong."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from matching_pairs import Judged, Pair, Row
from matching_rules import GOOD_TIERS, RULES, Accepts

# Catalogue cards of two universities, statements of responsibility for authors: not what a reader imports.
LEARNED_ORIGINS = {"human_uw_x_uiuc", "uw_x_uiuc_isbn"}


def share(part: int, whole: int) -> float | None:
    """None where there is nothing to take a share of."""
    return part / whole if whole else None


def rates(judged: Sequence[Judged], accepts: Accepts) -> Row:
    """Precision, recall, false-accept rate, and the rates by origin."""
    accepted = {id(j) for j in judged if accepts(j)}
    same = [j for j in judged if j.pair.is_same]
    other = [j for j in judged if not j.pair.is_same]
    right = sum(id(j) in accepted for j in same)
    by_origin: dict[str, float | None] = {}
    for origin in sorted({j.pair.origin for j in judged}):
        takes_same = [id(j) in accepted for j in same if j.pair.origin == origin]
        takes_other = [id(j) in accepted for j in other if j.pair.origin == origin]
        if takes_same:
            by_origin[f"{origin}+" if takes_other else origin] = share(sum(takes_same), len(takes_same))
        if takes_other:
            by_origin[origin] = share(sum(takes_other), len(takes_other))
    return {
        "precision": share(right, len(accepted)),
        "recall": share(right, len(same)),
        "false_accept_rate": share(len(accepted) - right, len(other)),
        "by_origin": by_origin,
    }


def figures(judged: Sequence[Judged]) -> Row:
    """What goes into the JSON, but for speed and the catalogue."""
    result: Row = {"pairs": len(judged)}
    for view in ("hidden", "shown"):
        tiers = {id(j): j.hidden if view == "hidden" else j.shown for j in judged}
        high = rates(judged, lambda j, tiers=tiers: tiers[id(j)] == "high")
        consumer = [j for j in judged if j.pair.origin not in LEARNED_ORIGINS]
        result[view] = rates(judged, lambda j, tiers=tiers: tiers[id(j)] in GOOD_TIERS) | {
            "consumer_recall": rates(consumer, lambda j, tiers=tiers: tiers[id(j)] in GOOD_TIERS)["recall"],
            "high_precision": high["precision"],
            "high_recall": high["recall"],
            "high_false_accept_rate": high["false_accept_rate"],
            "wrong_high": sum(tiers[id(j)] == "high" and not j.pair.is_same for j in judged),
        }
    result["baselines"] = {
        name: rates(judged, hidden) | {"shown": rates(judged, shown)}
        for name, (_, hidden, shown) in RULES.items()
    }
    return result


def origins(pairs: Sequence[Pair]) -> Row:
    """Each key of by_origin: what its rate is, and of how many pairs."""
    counted: Row = {}
    for origin in sorted({pair.origin for pair in pairs}):
        labels = [pair.is_same for pair in pairs if pair.origin == origin]
        if not all(labels):
            counted[origin] = {"rate": "false accepts", "pairs": labels.count(False)}
        if any(labels):
            name = origin if all(labels) else f"{origin}+"
            counted[name] = {"rate": "recall", "pairs": labels.count(True)}
    return counted


SCORES = ("title_score", "author_score", "isbn_score", "hidden", "shown")


def write_errors(path: Path, judged: Iterable[Judged]) -> int:
    """Every pair that is judged wrongly in either view, its scores and parsed parts; how many there are."""
    wrong = [error for j in judged if (error := error_line(j))]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        if wrong:
            file.write("\t".join(wrong[0]) + "\n")
        for line in sorted(wrong, key=lambda line: (line["error"], line["origin"])):
            file.write("\t".join("" if cell is None else str(cell) for cell in line.values()) + "\n")
    return len(wrong)


def error_line(j: Judged) -> Row | None:
    views = [view for view in ("hidden", "shown") if (getattr(j, view) in GOOD_TIERS) != j.pair.is_same]
    if not views:
        return None
    line = {"error": "missed" if j.pair.is_same else "false accept", "where": " and ".join(views)}
    line |= asdict(j.pair) | {name: getattr(j, name) for name in SCORES}
    return line | {f"parsed_{name}": json.dumps(part, ensure_ascii=False) for name, part in j.parts.items()}
