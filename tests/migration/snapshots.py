"""What an upgrade must carry across, row by row: taken before it, and looked for after it."""

from typing import Any

from host_app import HostApp

Snapshot = dict[str, list[dict[str, Any]]]

TABLES = (
    "public.enrichment_queue",
    "public.enrichment_audit_log",
    "enrichment.field_locks",
    "enrichment.rejected_candidates",
    "enrichment.filled_fields",
    "enrichment.imports",
    "enrichment.import_rows",
    "enrichment.stored_covers",
    "enrichment.cover_storage",
    "enrichment.cover_queue",
    "enrichment.settings",
    "enrichment.providers",
    "public.users",
    "public.works",
    "public.editions",
    "public.authors",
    "public.work_authors",
    "public.external_ids",
    "public.library_items",
)
TAKEN_AWAY = {"enrichment.stored_covers": {"content_type"}}
"""Columns that a later release is without: they said the same of every row, and nothing read them."""
MAY_GROW = ("enrichment.providers",)
"""A later release may know more providers; nothing else gains a row by being upgraded."""


def snapshot(host: HostApp) -> Snapshot:
    """Every row of these tables, as JSON."""
    return {
        table: [each["row"] for each in host.query(f"select to_jsonb(t) as row from {table} as t")]
        for table in TABLES
    }


def assert_rows_are_kept(before: Snapshot, after: Snapshot) -> None:
    """Each old row is still there, with the value it had in each of its old columns; new columns may have
    come. Says of the first row that is gone, which row of now is nearest to it."""
    for table, rows in before.items():
        for whole in rows:
            row = {
                column: value for column, value in whole.items() if column not in TAKEN_AWAY.get(table, ())
            }
            if not any(row.items() <= now.items() for now in after[table]):
                raise AssertionError(f"{table}: {_what_became_of(row, after[table])}")
        if table not in MAY_GROW:
            assert len(after[table]) == len(rows), f"{table} has {len(after[table])} rows, had {len(rows)}"


def _what_became_of(row: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    def likeness(now: dict[str, Any]) -> int:
        return sum(now.get(column) == value for column, value in row.items())

    nearest = max(rows, key=likeness, default={})
    changes = [
        f"{column} was {value!r}, is {nearest.get(column, 'gone')!r}"
        for column, value in row.items()
        if column not in nearest or nearest[column] != value
    ]
    return f"there is no {row} any more; in what is nearest, {'; '.join(changes)}"
