"""What a column means is written once, in the database, and the API's description says it."""

import pytest

import shapes
from book_enrichment.api import create_app

COMMENTS = """
    select t.relname as type, a.attname as column, col_description(a.attrelid, a.attnum) as comment
    from pg_class as t
    join pg_attribute as a on a.attrelid = t.oid
    where t.relnamespace = 'enrichment'::regnamespace and t.relkind = 'c'
"""


@pytest.fixture
def described(settings_for) -> dict[str, dict[str, str]]:
    """The words about each field of each shape, in one line."""
    schemas = create_app(settings_for(), worker=False).openapi()["components"]["schemas"]
    return {
        name: {
            field: " ".join(about.get("description", "").split())
            for field, about in schema.get("properties", {}).items()
        }
        for name, schema in schemas.items()
    }


async def test_fields_are_described_as_their_columns(connect, described) -> None:
    """Word for word; all but the cursor, which a page says once."""
    rows = await (await (await connect()).execute(COMMENTS)).fetchall()
    shown = [row for row in rows if shapes.python_name(row["type"]) in described]
    assert {row["type"] for row in shown} >= {"work_state", "listed_row", "usage_line"}
    for row in shown:
        fields = described[shapes.python_name(row["type"])]
        assert fields.get(row["column"]) == (None if row["column"] == "cursor" else row["comment"] or ""), row


async def test_the_page_of_an_import_describes_its_columns_too(described) -> None:
    """Which it only inherits."""
    assert described["ImportState"].items() <= described["ImportPage"].items()
