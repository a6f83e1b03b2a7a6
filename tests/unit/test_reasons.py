"""Reasons for waiting stand once: what SQL or Python can make a row wait for is on the list, and no other."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from book_enrichment.reasons import LINES, REASONS, explained

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "python_client" / "book_enrichment"
SCHEMAS = ROOT / "supabase" / "schemas"

WORD = re.compile(r"[a-z]+(_[a-z]+)*")
REASON = re.compile(r"(\w+\.)*\w*reason")
# Google's way of saying that a search found nothing; it never leaves that provider's client.
INNER = {"not_found"}

TOKEN = re.compile(r"'(?:[^']|'')*'|[A-Za-z_][\w.]*|<>|[^\s\w']")
REMARK = re.compile(r"--[^\n]*|comment on [^']*'(?:[^']|'')*';")
SIGNATURE = re.compile(r"create function ([\w.]+)\(([^)]*)\)")


def sql_tokens() -> Iterator[tuple[list[str], dict[str, int]]]:
    """Each schema file as tokens; and which argument of which function is a reason."""
    texts = [REMARK.sub("", file.read_text(encoding="utf-8")) for file in sorted(SCHEMAS.rglob("*.sql"))]
    takes: dict[str, int] = {}
    for function, parameters in (found for text in texts for found in SIGNATURE.findall(text)):
        names = [each.split()[0] for each in parameters.split(",") if each.strip()]
        takes.update((function, place) for place, name in enumerate(names) if REASON.fullmatch(name))
    return ((TOKEN.findall(text), takes) for text in texts)


def literals(tokens: list[str]) -> set[str]:
    """The words among the tokens that stand in quotes."""
    return {token[1:-1] for token in tokens if token[0] == "'" and WORD.fullmatch(token[1:-1])}


def cases(tokens: list[str]) -> Iterator[tuple[int, int, list[str]]]:
    """Where each `case … end` begins and ends, and what it can answer, inner ones left to themselves."""
    open_cases: list[tuple[int, list[str]]] = []
    for place, token in enumerate(tokens):
        if token == "case" and tokens[place - 1] != "end":
            open_cases.append((place, []))
        elif token in ("then", "else") and open_cases:
            open_cases[-1][1].append(tokens[place + 1])
        elif token == "end" and open_cases and tokens[place + 1] not in ("if", "loop"):
            begin, answers = open_cases.pop()
            yield begin, place, answers


def arguments(tokens: list[str], place: int) -> list[list[str]]:
    """What stands in the brackets that open at `place`, split at its commas."""
    found: list[list[str]] = [[]]
    depth = 0
    for token in tokens[place:]:
        depth += (token in "([") - (token in ")]")
        if depth == 0:
            break
        if token == "," and depth == 1:
            found.append([])
        elif depth > 1 or token != "(":
            found[-1].append(token)
    return found


def said_by_sql() -> set[str]:
    """Words that a function, view or default can put where a reason belongs."""
    said: set[str] = set()
    for tokens, takes in sql_tokens():
        for begin, end, answers in cases(tokens):
            after = tokens[end + 1 : end + 3]
            is_set = tokens[begin - 1] == "=" and REASON.fullmatch(tokens[begin - 2])
            if is_set or (len(after) == 2 and after[0] == "as" and REASON.fullmatch(after[1])):
                said |= literals(answers)
        for place, token in enumerate(tokens):
            if REASON.fullmatch(token):
                before, after = tokens[max(place - 2, 0) : place], tokens[place + 1 : place + 4]
                said |= literals(before[:1]) if before[1:] == ["as"] else set()  # 'word' as reason
                said |= literals(after[1:2]) if after[:1] in (["="], [","]) else set()
                said |= literals(after[2:3]) if after[1:2] == ["default"] else set()
            elif token in takes and tokens[place + 1] == "(" and tokens[place - 1] != "function":
                given = arguments(tokens, place + 1)
                said |= literals(given[takes[token]]) if takes[token] < len(given) else set()
    return said


def asked_by_sql() -> set[str]:
    """Words that a reason is compared with."""
    asked: set[str] = set()
    for tokens, _ in sql_tokens():
        for place, token in enumerate(tokens):
            if REASON.fullmatch(token):
                after = tokens[place + 1 :]
                start = 1 if after[:1] == ["not"] else 0
                if after[start : start + 2] == ["in", "("]:
                    asked |= literals(after[: after.index(")")])
                elif after[:1] == ["<>"]:
                    asked |= literals(after[1:2])
                elif after[:2] == ["is", "distinct"]:
                    asked |= literals(after[3:4])
    return asked


def words_in(*nodes: ast.AST) -> set[str]:
    """The words among the constants of a piece of Python."""
    inner = [each for node in nodes for each in ast.walk(node) if isinstance(each, ast.Constant)]
    return {each.value for each in inner if isinstance(each.value, str) and WORD.fullmatch(each.value)}


def is_reason(node: ast.AST) -> bool:
    """Whether a piece of Python is a name of a reason, or of what carries one."""
    names = [each for each in ast.walk(node) if isinstance(each, ast.Name | ast.Attribute)]
    name = getattr(names[0], "attr", getattr(names[0], "id", "")) if names else ""
    return bool(re.fullmatch(r"\w*(reason|deferred|troubled)|[A-Z_]*REASONS", name))


def said_by_python() -> tuple[set[str], set[str]]:
    """Words that the package can give as a reason; and those it compares one with."""
    said: set[str] = set()
    asked: set[str] = set()
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                place = {"DeferReason": 0, "Refusal": 0, "trouble": 0, "ProviderUnavailable": 1}.get(name)
                said |= words_in(*node.args[place : place + 1]) if place is not None else set()
            elif isinstance(node, ast.Assign) and any(
                is_reason(each)
                for target in node.targets
                for each in (target.elts if isinstance(target, ast.Tuple) else [target])
            ):
                said |= words_in(node.value)
            elif isinstance(node, ast.BoolOp) and is_reason(node.values[0]):
                said |= words_in(*(each for each in node.values[1:] if isinstance(each, ast.Constant)))
            elif isinstance(node, ast.Compare) and is_reason(node.left):
                asked |= words_in(*node.comparators)
    return said, asked


def test_every_reason_is_on_the_list() -> None:
    """Whoever invents a word writes a sentence for it."""
    said, asked = said_by_python()
    unlisted = (said | asked | said_by_sql() | asked_by_sql()) - INNER - REASONS.keys()
    assert sorted(unlisted) == [], "each wants its line in supabase/data/reasons.tsv"


def test_no_reason_is_left_that_nobody_gives() -> None:
    """A word that has gone from the code goes from the list."""
    assert sorted(REASONS.keys() - said_by_python()[0] - said_by_sql()) == []


def test_what_reads_the_code_finds_each_way_to_say_a_word() -> None:
    """A case that is set or named, a default, a comparison, an argument; in Python a call."""
    by_sql, (by_python, asked) = said_by_sql(), said_by_python()
    assert {"auto_disabled", "daily", "queued", "next_lookup", "backoff", "stale", "backfill"} <= by_sql
    assert {"no_client", "stopped", "storage", "rate", "identify", "unreachable", "quota_zero"} <= by_python
    assert "unknown_location" in asked_by_sql()
    assert {"backfill", "storage_budget"} <= asked
    assert not {"completed", "pending", "rejected"} & (by_sql | by_python)


def test_the_page_about_states_has_the_list() -> None:
    """Word, sentence and when it ends, in its order."""
    page = (ROOT / "supabase" / "docs" / "states.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if re.match(r"\| `\w+` \| [A-Z]", line)]
    assert rows == [f"| `{word}` | {sentence} | {ends} |" for word, sentence, ends in LINES]


@pytest.mark.parametrize(("word", "sentence"), REASONS.items(), ids=REASONS)
def test_a_sentence_is_for_a_reader(word: str, sentence: str) -> None:
    """A whole one, and not the word again."""
    assert re.fullmatch(r"[A-Z].*\.", sentence)
    assert WORD.fullmatch(word)
    assert "_" not in sentence


def test_an_unknown_word_needs_no_explanation() -> None:
    """It may come from somebody else's worker; each that is known is told once."""
    assert explained(["daily", None, "of_their_own", "daily"]) == [f"daily: {REASONS['daily']}"]
