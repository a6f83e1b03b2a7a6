"""Promises that would rot by hand: the client has every public verb, under the same names."""

import inspect
import typing

import pytest

import shapes
from book_enrichment.database import Database, records

VERBS = """
    select p.proname, p.proargnames, t.typname as answer
    from pg_proc as p
    join pg_type as t on t.oid = p.prorettype
    where p.pronamespace = 'public'::regnamespace
        and not exists (select from pg_depend as d where d.objid = p.oid and d.deptype = 'e')
    order by p.proname
"""


def methods() -> dict[str, inspect.Signature]:
    """The verbs of the client."""
    functions = inspect.getmembers(Database, inspect.iscoroutinefunction)
    return {
        name: inspect.signature(function, eval_str=True)
        for name, function in functions
        if name != "call" and not name.startswith("_")
    }


@pytest.fixture
async def verbs(connect):
    connection = await connect()
    return {row["proname"]: row for row in await (await connection.execute(VERBS)).fetchall()}


async def test_every_public_function_has_a_method_and_every_method_a_function(verbs) -> None:
    """One name, one signature."""
    assert sorted(verbs) == sorted(methods())


async def test_parameters_have_the_same_names_in_the_same_order(verbs) -> None:
    """So that a call can be carried from psql to Python word by word."""
    in_sql = {name: list(verb["proargnames"] or []) for name, verb in verbs.items()}
    in_python = {name: list(method.parameters)[1:] for name, method in methods().items()}
    assert in_python == in_sql


async def test_a_method_answers_with_the_record_of_its_verbs_type(verbs) -> None:
    """Under the name of the type."""
    for name, method in methods().items():
        answer = method.return_annotation
        record = next((part for part in typing.get_args(answer) if part is not type(None)), answer)
        assert record is getattr(records, shapes.python_name(verbs[name]["answer"])), name


def test_records_are_what_the_database_says(database_url) -> None:
    """Names, order, types, nulls and words of every column; `make shapes` writes them."""
    assert shapes.GENERATED.read_text(encoding="utf-8") == shapes.generated(database_url)
