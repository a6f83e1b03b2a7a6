"""What `make generated` writes into supabase/schemas/15_fields/fields.sql: every function that treats all
fields alike, from supabase/data/fields.tsv and the frame in fields.sql beside this file.

Plain statements and no loop over the registry, since gaps are asked for with each line of a shelf, and values
are written with each sweep. Two kinds of field are treated in a way of their own: a year of 0 is none, and
the ISBNs of an edition come from the list of its candidate.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

from book_enrichment.fields import read_registry

WIDTH = 140
TEMPLATE = Path(__file__).parent / "fields.sql"
UPDATE = """\
    with given as (
        select v.entity_id, jsonb_object_agg(v.field, v.value) as fields
        from unnest({function}."values") as v where v.field like '{entity}.%' group by v.entity_id
    )

    update public.{entity}s as {alias}
    set {columns},
        updated_at = now()
    from given as g
    where {alias}.id = g.entity_id;"""


@dataclass(frozen=True)
class Field:
    """A line of the registry, and how SQL says it."""

    field: str
    column: str
    type: str
    label: str
    kind: str
    known_to: str
    only_where: str

    @property
    def entity(self) -> str:
        """`work` or `edition`: what a parameter with such a row is called; an alias has its first letter."""
        return self.field.partition(".")[0]

    @property
    def attribute(self) -> str:
        """What it is called in a candidate."""
        return self.field.partition(".")[2]

    @property
    def aliased(self) -> str:
        """The column in an UPDATE."""
        return f"{self.entity[0]}.{self.column}"

    @property
    def nothing(self) -> str:
        """The value, beside null, that says there is none."""
        return "''" if self.type == "text" else "0" if self.kind == "year" else ""

    @property
    def number_type(self) -> str:
        """Its type where a value is not in its column yet: what is too large for that raises nothing."""
        return "integer" if self.type == "smallint" else self.type

    @property
    def registered(self) -> str:
        """Its row in `fields()`."""
        known_to = self.known_to.replace(" ", ",")
        told = (self.field, f"{self.entity}s", self.column, self.label, self.kind, f"{{{known_to}}}")
        return "(" + ", ".join(map(quoted, told)) + "::text[])"

    @property
    def gap(self) -> str:
        """Its name where it is one."""
        column = f"{self.entity}.{self.column}"
        empty = (
            f"coalesce({column}, {self.nothing}) = {self.nothing}" if self.nothing else f"{column} is null"
        )
        where = f" and {self.only_where}" if self.only_where else ""
        return f"case when {empty}{where} then '{self.field}' end"

    @property
    def current(self) -> str:
        """Its name and its value, for an object."""
        return f"'{self.field}', {self.entity}.{self.column}"

    @property
    def offered(self) -> str:
        """The same of a candidate."""
        return f"'{self.field}', candidate.{self.attribute}"

    @property
    def given(self) -> str:
        """The value that is to be written."""
        value = f"g.fields ->> '{self.field}'"
        return value if self.type == "text" else f"({value})::{self.type}"

    @property
    def filled(self) -> str:
        """What becomes of the column where it is empty."""
        if not self.nothing:
            return f"{self.column} = coalesce({self.aliased}, {self.given})"
        values = f"nullif({self.aliased}, {self.nothing}), {self.given}, {self.aliased}"
        return on_one_line_or_three(f"{self.column} = coalesce(", values, ")")

    @property
    def restored(self) -> str:
        """What becomes of the column whatever it holds; null may be given for it, too."""
        choice = f"when g.fields ? '{self.field}' then {self.given} else {self.aliased}"
        return on_one_line_or_three(f"{self.column} = case ", choice, " end")


def on_one_line_or_three(opening: str, inside: str, closing: str) -> str:
    """A column's new value in an UPDATE, broken where it is too wide."""
    if len(opening + inside + closing) <= WIDTH - len(",") - 8:
        return opening + inside + closing
    return f"{opening.rstrip()}\n            {inside}\n        {closing.lstrip()}"


def quoted(text: str) -> str:
    """A literal."""
    return "'" + text.replace("'", "''") + "'"


def lines(parts: Iterable[str], indent: int) -> str:
    """One a line, with commas between them."""
    return ",\n".join(" " * indent + part for part in parts)


def same(fields: Iterable[Field]) -> str:
    """How values that are no text are compared."""
    by_type: dict[str, list[str]] = {}
    for each in fields:
        if each.type != "text":
            by_type.setdefault(each.number_type, []).append(f"'{each.field}'")
    return "\n".join(
        f"        when same_value.field in ({', '.join(names)})\n"
        f"            then same_value.one::{type_} = same_value.other::{type_}"
        for type_, names in by_type.items()
    )


def updates(function: str, fields: Iterable[Field], change: Callable[[Field], str]) -> str:
    """The statements by which a function changes works, then editions, field by field."""
    return "\n\n".join(
        UPDATE.format(
            function=function, entity=entity, alias=entity[0], columns=lines(map(change, ours), 8).lstrip()
        )
        for entity, ours in by_entity(fields).items()
    )


def by_entity(fields: Iterable[Field]) -> dict[str, list[Field]]:
    """The fields of a work, and those of an edition."""
    entities: dict[str, list[Field]] = {"work": [], "edition": []}
    for each in fields:
        entities[each.entity].append(each)
    return entities


def generated(rows: Iterable[dict[str, str]] | None = None) -> str:
    """What fields.sql should read, by our registry or by another."""
    fields = [Field(**row) for row in rows or read_registry()]
    of_candidates = [each for each in fields if each.kind != "isbn"]
    present, offered = by_entity(fields), by_entity(of_candidates)
    return TEMPLATE.read_text(encoding="utf-8").format(
        registry=lines((each.registered for each in fields), 8),
        empty_in_work=lines((each.gap for each in present["work"]), 8),
        empty_in_edition=lines((each.gap for each in present["edition"]), 8),
        current=lines((each.current for each in fields), 8),
        same=same(fields),
        fill=updates("fill_fields", fields, attrgetter("filled")),
        restore=updates("restore_fields", fields, attrgetter("restored")),
        candidate=lines((f"{each.attribute} {each.number_type}" for each in of_candidates), 4),
        candidate_work=lines((each.offered for each in offered["work"]), 8),
        candidate_edition=lines((each.offered for each in offered["edition"]), 8),
    )
