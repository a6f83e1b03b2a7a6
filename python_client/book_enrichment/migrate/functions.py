"""Functions that do not read as released: found by their bodies, and made so again, with everybody's
rights."""

from __future__ import annotations

import psycopg
from psycopg import sql

from book_enrichment.migrate.steps import FUNCTION, bare, bodies_in, objects_in, split
from book_enrichment.migrate.tables import Connection


def changed(connection: Connection, text: str) -> list[str]:
    """The functions that `text` makes and that are missing here or have another body; names with their
    schema."""
    rows = connection.execute(
        """
        select format('%s.%s', p.pronamespace::regnamespace, p.proname),
            md5(p.prosrc || case when p.prosecdef then ' security definer' else '' end)
        from pg_proc as p
        where p.pronamespace in ('enrichment'::regnamespace, 'public'::regnamespace)
        """
    ).fetchall()
    here = set(rows)  # a host may have functions of its own under such a name
    return sorted(name for name, digest in bodies_in(text).items() if (name, digest) not in here)


def differences(connection: Connection, text: str) -> list[str]:
    """Everything `restore` would make again."""
    return [*changed(connection, text), *missing(connection, text)]


def missing(connection: Connection, text: str) -> dict[str, str]:
    """The views, indexes, triggers and policies of `text` that are not here, with the statement for each."""
    rows = connection.execute(
        """
        select format(
            '%s %s.%s', case c.relkind when 'v' then 'view' else 'index' end,
            c.relnamespace::regnamespace, c.relname
        )
        from pg_class as c where c.relkind in ('v', 'i')
        union all select 'trigger ' || t.tgname from pg_trigger as t where t.tgenabled <> 'D'
        union all select 'policy ' || p.polname from pg_policy as p
        """
    ).fetchall()
    here = {name for (name,) in rows}
    return {name: statement for name, statement in objects_in(text).items() if name not in here}


def _make_again(connection: Connection, name: str, statement: str) -> None:
    """In its place where it can stay there, else anew: a function whose result was changed cannot be
    replaced."""
    again = statement.replace("create function", "create or replace function", 1).encode()
    try:
        with connection.transaction():
            connection.execute(again)
    except psycopg.errors.InvalidFunctionDefinition:
        connection.execute(sql.SQL("drop function {}").format(sql.Identifier(*name.split("."))))
        connection.execute(again)


def restore(connection: Connection, text: str) -> list[str]:
    """Makes those functions as `text` has them, and gives every right that `text` gives; the names of those
    made."""
    names = changed(connection, text)
    statements = split(text)
    connection.execute("set local check_function_bodies = off")
    for statement in statements:
        made = FUNCTION.search(statement)
        if made and made[1] in names:
            _make_again(connection, made[1], statement)
    gone = missing(connection, text)
    for statement in gone.values():
        connection.execute(statement.encode())
    for statement in statements:
        if bare(statement).startswith(("revoke ", "grant ", "comment on ")):
            connection.execute(statement.encode())
    return [*names, *gone]
