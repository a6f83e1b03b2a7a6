"""The statements that lead from one database to another, in the words of the schema files.

`drafting.py` makes both databases and writes what comes out here into the next step. Whatever cannot be said
with certainty becomes a line `-- TODO by hand: <the object>` with the difference under it: a table, a type, a
row. What has to be dropped takes along what stands on it, and all of it comes back with comment and rights.
"""

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from graphlib import TopologicalSorter

import psycopg

from book_enrichment.migrate.steps import bare, split
from catalogue import differences

KEY = re.compile(r"(?P<kind>[A-Z]+(?: [A-Z]+)*) (?P<schema>[^\s.]+)\.(?P<name>.*)", re.DOTALL)
REMADE = ("VIEW", "TRIGGER", "POLICY", "INDEX", "FUNCTION")  # these hold no rows: dropped and made anew
OF_A_TABLE = ("CONSTRAINT", "FK CONSTRAINT", "TRIGGER", "POLICY", "DEFAULT")
API_ROLES = "public, anon, authenticated, service_role"
BUILT_IN = {"function": "execute", "type": "usage"}  # what everybody may do where nothing was said

# Which object stands on which, by their names in a catalogue. Rules, row types and array types count as what
# they belong to.
STANDS_ON = """
with relations as (
    select c.oid, format('%s %s.%s', k.kind, c.relnamespace::regnamespace, c.relname) as key
    from pg_class as c
    join (values ('r', 'TABLE'), ('v', 'VIEW'), ('i', 'INDEX'), ('c', 'TYPE')) as k (relkind, kind) on k.relkind = c.relkind::text
),
named as (
    select 'pg_class'::regclass as classid, r.oid as objid, r.key from relations as r
    union all
    select 'pg_rewrite'::regclass, w.oid, r.key from pg_rewrite as w join relations as r on r.oid = w.ev_class
    union all
    select 'pg_type'::regclass, t.oid, coalesce(r.key, format('TYPE %s.%s', b.typnamespace::regnamespace, b.typname))
    from pg_type as t
    join pg_type as b on b.oid = case when t.typcategory = 'A' then t.typelem else t.oid end
    left join relations as r on r.oid = b.typrelid
    union all
    select 'pg_proc'::regclass, p.oid, 'FUNCTION ' || replace(p.oid::regprocedure::text, ',', ', ') from pg_proc as p
    union all
    select 'pg_policy'::regclass, p.oid, format('POLICY %s %s', p.polrelid::regclass, p.polname) from pg_policy as p
    union all
    select 'pg_trigger'::regclass, t.oid, format('TRIGGER %s %s', t.tgrelid::regclass, t.tgname)
    from pg_trigger as t where not t.tgisinternal
    union all
    select 'pg_constraint'::regclass, c.oid,
        format('%s %s %s', case when c.contype = 'f' then 'FK CONSTRAINT' else 'CONSTRAINT' end, c.conrelid::regclass, c.conname)
    from pg_constraint as c where c.conrelid <> 0
    union all
    select 'pg_attrdef'::regclass, d.oid, format('DEFAULT %s %s', d.adrelid::regclass, a.attname)
    from pg_attrdef as d join pg_attribute as a on a.attrelid = d.adrelid and a.attnum = d.adnum
)
select distinct upper.key, lower.key
from pg_depend as d
join named as upper on (upper.classid, upper.objid) = (d.classid, d.objid)
join named as lower on (lower.classid, lower.objid) = (d.refclassid, d.refobjid)
where upper.key <> lower.key
order by 1, 2
"""  # noqa: E501


def stands_on(superuser_url: str) -> list[tuple[str, str]]:
    """Each pair of objects of which the first keeps the second from being dropped."""
    with psycopg.connect(superuser_url) as connection:
        connection.execute("set search_path = ''")
        return [(upper, lower) for upper, lower in connection.execute(STANDS_ON).fetchall()]


def todo(what: str, was: str = "", now: str = "") -> str:
    """A line that says what is to be done by hand, and the difference under it."""
    lines = list(difflib.unified_diff(was.splitlines(), now.splitlines(), lineterm="", n=1))[2:]
    shown = (f"--     {line}".rstrip() for line in lines if line.strip() and not line.startswith("@@"))
    return "\n".join([f"-- TODO by hand: {what}", *shown])


def subject(statement: str) -> str:
    """What a statement makes or tells about, alike for pg_dump's words and ours; nothing for others."""
    text = bare(statement)
    if made := re.match(r"create (table|view|function|type) ([\w.\"]+)", text, re.IGNORECASE):
        found = f"{made[1]} {made[2]}"
    elif made := re.match(
        r"create (?:unique )?(index|trigger|policy) (\S+)\s(?:.*?\s)?on (?:only )?([\w.\"]+)",
        text,
        re.IGNORECASE | re.DOTALL,
    ):
        found = f"{made[1]} {made[3]} {made[2]}"
    elif made := re.match(
        r"comment on (\w+) ([^(]+?)\s*(?:\([^)]*\))?\s+is\b", text, re.IGNORECASE | re.DOTALL
    ):
        found = f"comment {made[1]} {made[2]}"
    elif made := re.match(r"alter table ([\w.\"]+) enable row level security", text, re.IGNORECASE):
        found = f"row security {made[1]}"
    else:
        found = ""
    return found.replace('"', "").lower()


def tables_of(statement: str) -> frozenset[str]:
    """The tables a statement makes, fills, indexes, comments on, opens or closes."""
    text = bare(statement).replace('"', "")
    if on := re.match(
        r"(?:create table|alter table|insert into|comment on (?:table|column)) (\w+\.\w+)", text
    ):
        return frozenset([on[1]])
    if on := re.match(
        r"(?:index|trigger|policy) (\w+\.\w+) |comment \w+ \w+ on (\w+\.\w+)", subject(statement)
    ):
        return frozenset([on[1] or on[2]])
    if on := re.match(
        r"(?:grant|revoke) [\w, ()\n]*?\son (?:table\s+)?(\w+\.\w+[\w., \n]*?)\s(?:to|from)\s",
        text,
        re.DOTALL,
    ):
        return frozenset(re.findall(r"\w+\.\w+", on[1]))
    return frozenset()


@dataclass(frozen=True)
class Source:
    """A statement of the schema files."""

    text: str
    subject: str
    tables: frozenset[str]


def sources(files: Iterable[str]) -> list[Source]:
    """The statements of the schema files, in the order in which they run."""
    found = []
    for text in files:
        for statement in split(text):
            statement = re.sub(r"\A(--[^\n]*\n)+\n+", "", statement)  # the head of a file
            found.append(Source(statement, subject(statement), tables_of(statement)))
    return found


@dataclass(frozen=True)
class Difference:
    """Two catalogues, what stands on what in the older one, and the schema files that made the newer."""

    was: dict[str, str]
    now: dict[str, str]
    edges: list[tuple[str, str]]
    sources: list[Source]

    def statements(self) -> list[str]:
        """What leads from the one to the other, in the order in which it runs."""
        return [*self._forgotten(), *self._drops(), *self._creations(), *self._rights(), *self._calls()]

    # What is touched

    @cached_property
    def changed(self) -> list[str]:
        """The objects that only one of the two has, or that are made differently."""
        return differences(self.was, self.now)

    @cached_property
    def signatures(self) -> dict[str, str]:
        """Each function by its name with its arguments' names, as comments and rights know it: its key."""
        owned = re.compile(r"^ALTER (FUNCTION .*\)) OWNER TO ", re.MULTILINE)
        texts = [*self.was.items(), *self.now.items()]
        return {owner[1]: key for key, text in texts if (owner := owned.search(text))}

    @cached_property
    def new_tables(self) -> set[str]:
        """The tables that come, with all that the schema files say of them."""
        made = {source.subject for source in self.sources}
        return {
            table for table in self._tables(self.now) - self._tables(self.was) if f"table {table}" in made
        }

    @cached_property
    def gone_tables(self) -> set[str]:
        """The tables that go."""
        return self._tables(self.was) - self._tables(self.now)

    @cached_property
    def dropped(self) -> set[str]:
        """What goes, or has to go to be made anew, and all that stands on it and can be made anew as well."""
        dropped = {key for key in self.changed if self._must_go(key)}
        waiting = list(dropped)
        while waiting:
            below = waiting.pop()
            for upper, lower in self.edges:
                if lower == below and upper in self.was and upper not in dropped and _kind(upper) in REMADE:
                    dropped.add(upper)
                    waiting.append(upper)
        return dropped

    @cached_property
    def touched(self) -> list[str]:
        """What is made or told anew: what changed, what was dropped on the way, its comments and rights."""
        again = {key for key in self.now if key in self.dropped or self._object_of(key) in self.dropped}
        return sorted({key for key in self.changed if key in self.now} | again)

    def _must_go(self, key: str) -> bool:
        kind = _kind(key)
        if key not in self.was or self._table_of(key) in self.gone_tables:
            return False
        if key not in self.now:
            return kind in (*REMADE, "TYPE")
        return kind in REMADE and (kind != "FUNCTION" or _has_other_head(self.was[key], self.now[key]))

    def _tables(self, catalogue: dict[str, str]) -> set[str]:
        return {key.removeprefix("TABLE ") for key in catalogue if key.startswith("TABLE ")}

    def _object_of(self, key: str) -> str:
        """What a comment tells about or a right opens, as its key; nothing for other keys."""
        parts = KEY.match(key)
        if parts is None or parts["kind"] not in ("COMMENT", "ACL"):
            return ""
        kind, _, name = parts["name"].partition(" ")
        if kind in ("POLICY", "TRIGGER", "CONSTRAINT"):
            own, _, table = name.partition(" ON ")
            return f"{kind} {parts['schema']}.{table} {own}"
        if kind in ("COLUMN", "TABLE"):
            relation = f"{parts['schema']}.{name.partition('.')[0]}"
            there = (f"{kind} {relation}" for kind in ("TABLE", "VIEW", "TYPE"))
            return next((key for key in there if key in self.now or key in self.was), f"TABLE {relation}")
        told = f"{kind} {parts['schema']}.{name}"
        return self.signatures.get(told, told)

    def _table_of(self, key: str) -> str | None:
        """The table an object is part of."""
        parts = KEY.match(key)
        assert parts is not None, key
        kind, name = parts["kind"], f"{parts['schema']}.{parts['name']}"
        if kind in OF_A_TABLE:
            return name.partition(" ")[0]
        if kind == "ROW SECURITY":
            return name
        if kind in ("INDEX", "SEQUENCE"):
            text = self.now.get(key) or self.was.get(key, "")
            on = re.search(r"(?:\bON|^ALTER TABLE)(?: ONLY)? (\w+\.\w+)", text)
            return on[1] if on else None
        above = self._object_of(key)
        if above.startswith("TABLE "):
            return above.removeprefix("TABLE ")
        return self._table_of(above) if above else None

    # What goes

    def _forgotten(self) -> Iterator[str]:
        """Comments that are gone, and what only a person can take out."""
        for key in self.changed:
            kind, table, above = _kind(key), self._table_of(key), self._object_of(key)
            if key in self.now or key in self.dropped or kind == "ACL" or table in self.gone_tables:
                continue
            if kind == "TABLE":
                yield todo(f"{key} is gone, with its rows", self.was[key])
            elif kind != "COMMENT":
                yield todo(f"{key} is gone", self.was[key])
            elif above in self.now and above not in self.dropped:
                yield f"{self.was[key].partition(' IS ')[0].lower()} is null;"

    def _drops(self) -> Iterator[str]:
        """Drops, from what stands on top downwards."""
        for upper, lower in self.edges:
            table = self._table_of(upper)
            if lower in self.dropped and upper not in self.dropped and table not in self.gone_tables:
                yield todo(f"{upper} stands on {lower}, which is dropped: it goes before and comes after")
        sorter: TopologicalSorter[str] = TopologicalSorter()
        for key in sorted(self.dropped, key=lambda key: ((*REMADE, "TYPE").index(_kind(key)), key)):
            sorter.add(key)
        for upper, lower in self.edges:
            if {upper, lower} <= self.dropped:
                sorter.add(lower, upper)
        for key in sorter.static_order():
            kind, _, name = key.partition(" ")
            if kind in ("TRIGGER", "POLICY"):
                table, _, own = name.partition(" ")
                yield f"drop {kind.lower()} if exists {own} on {table};"
            else:
                yield f"drop {kind.lower()} if exists {name};"

    # What comes

    def _creations(self) -> list[str]:
        """What comes, in the words of the schema files, in the order in which they make it."""
        placed: list[tuple[int, str]] = [
            (place, source.text)
            for place, source in enumerate(self.sources)
            if source.tables and source.tables <= self.new_tables
        ]
        made = {source.subject for source in self.sources} - {""}
        for key in self.touched:
            inline = self._table_of(key) in self.new_tables and subject(self.now[key]) not in made
            if _kind(key) != "ACL" and not inline:  # what stands within `create table` is made there
                placed.append((self._place(key), self._creation(key)))
        return list(dict.fromkeys(text for _, text in sorted(placed, key=lambda pair: pair[0])))

    def _place(self, key: str) -> int:
        """Where the schema files make an object, or else its table; the end for what they do not make."""
        table = self._table_of(key)
        for wanted in (subject(self.now[key]), f"table {table}"):
            for place, source in enumerate(self.sources):
                if source.subject == wanted and wanted:
                    return place
        return len(self.sources)

    def _creation(self, key: str) -> str:
        """The statement that makes an object, or what is to be done by hand."""
        kind, was, now = _kind(key), self.was.get(key, ""), self.now[key]
        wanted = subject(now)
        found = [source.text for source in self.sources if wanted and source.subject == wanted]
        if kind == "TYPE" and was and key not in self.dropped:
            return _new_values(key.partition(" ")[2], was, now) or todo(key, was, now)
        if len(found) != 1 or (kind == "TABLE" and was):
            return todo(key, "" if key in self.dropped else was, now)
        if kind == "FUNCTION" and was and key not in self.dropped:
            return re.sub(r"(?m)^create function", "create or replace function", found[0], count=1)
        return found[0]

    # Who may do what

    def _rights(self) -> Iterator[str]:
        """All is taken from everybody in one statement a kind, then given again as pg_dump says."""
        closed: dict[str, set[str]] = {}
        given: list[str] = []
        asked = {*self.touched, *(key for key in self.changed if key in self.was)}
        for kind, name in sorted({self._opened(key) for key in asked if self._needs_rights(key)}):
            closed.setdefault(kind, set()).add(name)
            given += self._grants(kind, name)
        for kind, names in closed.items():
            listed = ",\n".join(f"    {name}" for name in sorted(names))
            yield f"revoke all on {kind}\n{listed}\nfrom {API_ROLES};"
        if given:
            yield "\n".join(given)

    def _needs_rights(self, key: str) -> bool:
        """Whether a right is to be given anew: its object is there, and no statement gives it with a new
        table."""
        if _kind(key) != "ACL" or self._object_of(key) not in self.now:
            return False
        table = self._table_of(key)
        shared = any(table in source.tables and source.tables - self.new_tables for source in self.sources)
        return table not in self.new_tables or shared

    def _opened(self, key: str) -> tuple[str, str]:
        """What a right opens: its kind, and its name as a statement says it, a function's with its arguments'
        types."""
        kind, _, name = self._object_of(key).partition(" ")
        kind = "table" if kind == "VIEW" else kind.lower()
        return kind, name.removeprefix("-.")

    def _grants(self, kind: str, name: str) -> Iterator[str]:
        """Every grant on an object, its columns' included."""
        keys = [key for key in self.now if _kind(key) == "ACL" and self._opened(key) == (kind, name)]
        if not keys and kind in BUILT_IN:
            yield f"grant {BUILT_IN[kind]} on {kind} {name} to public;"
        for key in keys:
            owned_by_us = "OWNER TO postgres" in self.now[self._object_of(key)]
            for line in self.now[key].lower().splitlines():
                grant = re.match(r"grant (.*?) on \w+ .* to (\w+)( with grant option)?;\Z", line)
                if grant is None:
                    if line and not line.startswith("revoke "):
                        yield todo(key, "", self.now[key])
                elif grant[2] != "postgres" or not owned_by_us:
                    right = "execute" if (kind, grant[1]) == ("function", "all") else grant[1]
                    who = "current_user" if grant[2] == "postgres" else grant[2]
                    yield f"grant {right} on {kind} {name} to {who}{grant[3] or ''};"

    def _calls(self) -> Iterator[str]:
        """The calls that the schema files make as they load, of functions that come or changed."""
        ours = {
            subject(self.now[key]) for key in self.changed if key in self.now and _kind(key) == "FUNCTION"
        }
        for source in self.sources:
            text = bare(source.text)
            called = {f"function {name}" for name in re.findall(r"(\w+\.\w+)\s*\(", text)}
            if text.startswith("select ") and called & ours:
                call = " ".join(text.split())
                yield todo(f"{call} runs as the schema files load: say whether the step runs it")


def _kind(key: str) -> str:
    parts = KEY.match(key)
    assert parts is not None, key
    return parts["kind"]


def _has_other_head(was: str, now: str) -> bool:
    """Whether a function answers something else, or takes other names or defaults: it cannot be replaced
    then."""
    return was.splitlines()[0] != now.splitlines()[0]


def _new_values(name: str, was: str, now: str) -> str:
    """The statements that add values at the end of an enum; nothing where more than that changed."""
    before, after = (re.findall(r"(?m)^    '((?:[^']|'')*)',?$", text) for text in (was, now))
    if not ("AS ENUM" in was and "AS ENUM" in now and after[: len(before)] == before):
        return ""
    return "\n".join(f"alter type {name} add value '{value}';" for value in after[len(before) :])
