"""What `uninstall --keep-data` left in schema enrichment_kept, and the way back into the tables.

Each row lies there as JSON with the name of its table, so it depends on nothing of ours. Taking it back
happens right after the step that brings the database to the version the rows are of; later steps then
change them as they change everybody's.
"""

from __future__ import annotations

from graphlib import TopologicalSorter

from psycopg import sql

from book_enrichment.migrate.tables import Connection, exists

# Each foreign key of one column between a table of ours and any other, and whether a row may do without it.
KEYS = """
select k.conrelid::regclass::text, a.attname, k.confrelid::regclass::text, r.attname, k.confdeltype = 'n'
from pg_constraint as k
join pg_attribute as a on a.attrelid = k.conrelid and a.attnum = k.conkey[1]
join pg_attribute as r on r.attrelid = k.confrelid and r.attnum = k.confkey[1]
where k.contype = 'f' and k.conrelid::regclass::text = any(%s) and cardinality(k.conkey) = 1
"""
COLUMNS = """
select a.attname
from pg_attribute as a
where a.attrelid = %(table)s::text::regclass and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
    and exists (
        select from enrichment_kept.rows as r where r.table_name = %(table)s::text and r.kept ? a.attname
    )
order by a.attnum
"""


def version(connection: Connection) -> int | None:
    """The version the kept rows are of; None where nothing was kept."""
    if not exists(connection, "enrichment_kept", "rows"):
        return None
    found = connection.execute("select version from enrichment_kept.rows where table_name = ''").fetchone()
    return int(found[0]) if found else None


def take_back(connection: Connection) -> None:
    """Puts the kept rows into our tables in place of what the installation shipped, and drops the copies.

    A row whose work is gone since is left out; a reader or an edition that is gone becomes null, as it
    would have.
    """
    connection.execute("set local search_path = ''")  # names of tables then come with their schema
    rows = connection.execute(
        "select distinct r.table_name from enrichment_kept.rows as r"
        " where to_regclass(nullif(r.table_name, '')) is not null"
    )
    kept = [name for (name,) in rows]
    keys = connection.execute(KEYS, (kept,)).fetchall()
    order = TopologicalSorter(
        {name: {to for table, _, to, _, _ in keys if table == name and to != name} for name in kept}
    )
    tables = [name for name in order.static_order() if name in kept]
    for table in reversed(tables):
        connection.execute(sql.SQL("delete from {}").format(_identifier(table)))
    for table in tables:
        _take_back_table(connection, table, [key[1:] for key in keys if key[0] == table])
    connection.execute(
        "update enrichment.schema_versions as v"
        " set brought = array(select jsonb_array_elements_text(r.kept -> 'brought'))"
        " from enrichment_kept.rows as r where r.table_name = '' and v.version = 1"
    )
    connection.execute("drop schema enrichment_kept cascade")


def _take_back_table(connection: Connection, table: str, keys: list[tuple[str, str, str, bool]]) -> None:
    names = [name for (name,) in connection.execute(COLUMNS, {"table": table})]
    present = {
        column: sql.SQL("exists (select from {} as o where o.{} = t.{})").format(
            _identifier(other), sql.Identifier(key), sql.Identifier(column)
        )
        for column, other, key, _ in keys
    }
    optional = {column for column, _, _, is_optional in keys if is_optional}
    values = [
        sql.SQL("case when {} then t.{} end").format(present[name], sql.Identifier(name))
        if name in optional
        else sql.SQL("t.{}").format(sql.Identifier(name))
        for name in names
    ]
    needed = [
        sql.SQL("(t.{} is null or {})").format(sql.Identifier(column), exists)
        for column, exists in present.items()
        if column not in optional
    ]
    # Their triggers saw these rows when they were new.
    connection.execute(sql.SQL("alter table {} disable trigger user").format(_identifier(table)))
    connection.execute(
        sql.SQL(
            "insert into {table} ({columns}) select {values} from enrichment_kept.rows as r"
            " cross join lateral jsonb_populate_record(null::{table}, r.kept) as t where {conditions}"
        ).format(
            table=_identifier(table),
            columns=sql.SQL(", ").join(map(sql.Identifier, names)),
            values=sql.SQL(", ").join(values),
            conditions=sql.SQL(" and ").join([sql.SQL("r.table_name = {}").format(table), *needed]),
        )
    )
    connection.execute(sql.SQL("alter table {} enable trigger user").format(_identifier(table)))


def _identifier(table: str) -> sql.Identifier:
    return sql.Identifier(*(part.strip('"') for part in table.split(".")))
