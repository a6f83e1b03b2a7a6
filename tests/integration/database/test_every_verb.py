"""Promises that would rot by hand: the client has every public verb, under the same names."""

import dataclasses
import inspect
import typing

import pytest

from book_enrichment import records
from book_enrichment.database import Database

VERBS = """
    select p.proname, p.proargnames, p.proargmodes, p.prorettype::regtype::text as answer,
        (select array_agg(a.attname::text order by a.attnum) from pg_attribute as a
         where a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped) as columns
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


async def test_records_have_every_column_of_the_answer(verbs) -> None:
    """In the order in which the database lists them."""
    for name, method in methods().items():
        answer = method.return_annotation
        record = next((part for part in typing.get_args(answer) if part is not type(None)), answer)
        assert issubclass(record, records.Record), name
        assert [field.name for field in dataclasses.fields(record)] == list(verbs[name]["columns"]), name
