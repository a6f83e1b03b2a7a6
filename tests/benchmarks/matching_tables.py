"""The tables that `make measure-matching` prints."""

from rich.console import Console
from rich.table import Table

from matching_pairs import Row
from matching_rules import RULES


def shown_rate(rate: float | None, percent: bool = False) -> str:
    if rate is None:
        return "–"
    return f"{rate:.2%}" if percent else f"{rate:.4f}"


def show(result: Row, out: Console) -> None:
    out.print(totals_table(result))
    for kind in ("recall", "false accepts"):
        out.print(origins_table(result, kind))
    for view in ("hidden", "shown"):
        recall = shown_rate(result[view]["consumer_recall"])
        out.print(f"Consumer books only (without the two university sets), ISBN {view}: recall {recall}.")
    if "catalogue" in result:
        books = result["catalogue"]
        out.print(
            f"Catalogue of {books['titles']:,} titles, every other book of the author as candidate: "
            f"{shown_rate(books['wrong'], True)} of titles would get a wrong cover "
            f"(the request's rule: {shown_rate(books['wrong_by_request_rule'], True)}); "
            f"{shown_rate(books['itself'], True)} take their own book, "
            f"{shown_rate(books['itself_without_series'], True)} also without its series."
        )
    stored, raw = result["pairs_per_second"], result["raw_pairs_per_second"]
    other = result["rapidfuzz_pairs_per_second"]
    out.print(
        f"On one core: {stored:,} pairs a second from stored parts, {raw:,} from raw text; "
        f"rapidfuzz {other:,} ({stored / other:.2f} and {raw / other:.2f} of it)."
    )


def totals_table(result: Row) -> Table:
    table = Table("rule", "ISBN", title=f"{result['pairs']:,} pairs: same book or not?")
    for heading in ("precision", "recall", "false accepts", "wrong High"):
        table.add_column(heading, justify="right")
    for view in ("hidden", "shown"):
        ours = result[view]
        high = {name: ours[f"high_{name}"] for name in ("precision", "recall", "false_accept_rate")}
        table.add_row("ours, Medium or better", view, *totals(ours), "")
        table.add_row("ours, High", view, *totals(high), str(ours["wrong_high"]))
    for name, (title, _, _) in RULES.items():
        rule = result["baselines"][name]
        table.add_row(title, "hidden", *totals(rule), "")
        if rule["shown"] != {part: rule[part] for part in rule["shown"]}:
            table.add_row(title, "shown", *totals(rule["shown"]), "")
    return table


def totals(rule: Row) -> list[str]:
    precision, recall = shown_rate(rule["precision"]), shown_rate(rule["recall"])
    return [precision, recall, shown_rate(rule["false_accept_rate"], True)]


def origins_table(result: Row, kind: str) -> Table:
    table = Table("origin", title=f"By origin: {kind} of Medium or better")
    for heading in ("pairs", "hidden", "shown", "request", "pg_trgm", "rapidfuzz"):
        table.add_column(heading, justify="right")
    views = [result["hidden"], result["shown"], *(result["baselines"][name] for name in RULES)]
    for origin, counted in result["origins"].items():
        if counted["rate"] == kind:
            rates = [shown_rate(view["by_origin"][origin], True) for view in views]
            table.add_row(origin, str(counted["pairs"]), *rates)
    return table
