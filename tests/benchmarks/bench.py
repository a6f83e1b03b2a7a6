"""How long the sweep takes beside the least that could be done: `make bench`.

A thousand works with host-shaped Open Library records (a work and an edition each) are swept in a database of
its own, then the same columns of the same rows are emptied and written again by plain UPDATE statements. In
another database a thousand works are swept for which the reply to a title search is stored that found five
books: the book, its neighbour in the series, a study guide, a box set and a namesake. All run several times,
in turn, on the one machine; what counts is their ratio.

    bench.py [--works N] [--rounds N] [--json PATH]
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
from rich.console import Console
from rich.table import Table

from packages import PlatformError
from stack import Stack, refuse_foreign_project

DATABASE = "bench"

BOOKS = """
select count(*) from public.configure_enrichment(
    '{"auto_enabled": true, "auto_apply_metadata": true, "contact": "bench@example.org"}'
);
insert into public.works (title)
select 'The Crimson Harbor of Haddad ' || n from generate_series(1, %(works)s) as n;
insert into public.authors (name) select 'Farid Dahl ' || n from generate_series(1, %(works)s) as n;
insert into public.work_authors (work_id, author_id)
select w.id, a.id from public.works as w
join public.authors as a on substring(a.name from '[0-9]+') = substring(w.title from '[0-9]+');
"""

LIBRARY = (
    BOOKS
    + """\
insert into public.editions (work_id, isbn13)
select w.id, enrichment.isbn13_of('978' || lpad(substring(w.title from '[0-9]+'), 9, '0'))
from public.works as w;
insert into public.external_ids (entity_type, entity_id, provider, provider_id)
select 'work', w.id, 'openlibrary', '/works/OL' || substring(w.title from '[0-9]+') || 'W'
from public.works as w
union all
select 'edition', e.id, 'openlibrary', '/books/OL' || substring(w.title from '[0-9]+') || 'M'
from public.works as w join public.editions as e on e.work_id = w.id
union all
select 'author', a.id, 'openlibrary', '/authors/OL' || substring(a.name from '[0-9]+') || 'A'
from public.authors as a;
insert into public.source_records (provider, entity_type, provider_id, raw)
select 'openlibrary', x.entity_type, x.provider_id, case x.entity_type
    when 'work' then jsonb_build_object(
        'key', x.provider_id, 'title', w.title, 'covers', '[700001, -1]'::jsonb,
        'first_publish_date', 'June 12, 1997',
        'description', jsonb_build_object('value', repeat('Lorem ipsum dolor sit amet. ', 20)),
        'authors', jsonb_build_array(jsonb_build_object('author', jsonb_build_object(
            'key', '/authors/OL' || substring(w.title from '[0-9]+') || 'A'
        )))
    )
    else jsonb_build_object(
        'key', x.provider_id, 'title', w.title, 'publishers', '["Publisher 1"]'::jsonb,
        'publish_date', '2001-05-17', 'languages', '[{"key": "/languages/eng"}]'::jsonb,
        'physical_format', 'Paperback', 'number_of_pages', 201,
        'covers', '[700001]'::jsonb, 'isbn_13', jsonb_build_array(e.isbn13),
        'works', jsonb_build_array(jsonb_build_object(
            'key', '/works/OL' || substring(w.title from '[0-9]+') || 'W'
        ))
    )
end
from public.works as w
join public.editions as e on e.work_id = w.id
join public.external_ids as x on x.entity_id in (w.id, e.id);
analyze public.works, public.editions, public.external_ids, public.source_records;
select count(*) from public.enqueue_enrichment(array(select id from public.works), 'scheduled');
analyze public.enrichment_queue;
"""
)

FIVE_FOUND = (
    BOOKS
    + """\
insert into public.source_records (provider, entity_type, provider_id, raw)
select
    'openlibrary', 'title_lookup',
    enrichment.lookup_key((enrichment.parse_title(w.title)).full_key, 'Farid Dahl ' || number),
    jsonb_build_object('numFound', 5, 'start', 0, 'docs', (
        select jsonb_agg(jsonb_build_object(
            'key', '/works/OL' || number || place || 'W', 'title', found.title,
            'author_name', jsonb_build_array(found.author),
            'author_key', jsonb_build_array('OL' || number || place || 'A'),
            'cover_i', 700001, 'first_publish_year', 1997,
            'description', jsonb_build_array(repeat('Lorem ipsum dolor sit amet. ', 20)),
            'editions', jsonb_build_object('numFound', 1, 'docs', jsonb_build_array(jsonb_build_object(
                'key', '/books/OL' || number || place || 'M', 'title', found.title, 'subtitle', 'A Novel',
                'isbn', jsonb_build_array(enrichment.isbn13_of('978' || place || lpad(number, 8, '0'))),
                'language', '["eng"]'::jsonb, 'publisher', '["Publisher 1"]'::jsonb,
                'publish_date', '["2001-05-17"]'::jsonb, 'cover_i', 700001
            )))
        ) order by place)
        from (values
            (1, w.title, 'Farid Dahl ' || number),
            (2, 'The Crimson Harbor of Haddad ' || number::integer + 1, 'Farid Dahl ' || number),
            (3, w.title || ': A Study Guide', 'Farid Dahl ' || number),
            (4, 'The Crimson Harbor Trilogy: Boxed Set', 'Farid Dahl ' || number),
            (5, w.title, 'Ingrid Okoro')
        ) as found (place, title, author)
    ))
from public.works as w
cross join lateral substring(w.title from '[0-9]+') as number;
analyze public.works, public.source_records;
select count(*) from public.enqueue_enrichment(array(select id from public.works), 'scheduled');
analyze public.enrichment_queue;
"""
)

READ_FIVE = """
select enrichment.parse_new_works();
select enrichment.parse_records(array(select id from public.enrichment_queue));
"""

EMPTIED = """
create table bench_works as
select id, default_cover_url, description, first_publish_year, enrichment_status, enrichment_confidence
from public.works;
create table bench_editions as
select id, publisher, publish_date, isbn10, language, format, total_pages from public.editions;
create table bench_queue as
select id, status, confidence, fields_applied, providers_attempted, match_details, scored_at, finished_at
from public.enrichment_queue;
update public.works set default_cover_url = null, description = null, first_publish_year = null;
update public.editions
set publisher = null, publish_date = null, isbn10 = null, language = null, format = null,
    total_pages = null;
vacuum analyze public.works, public.editions, public.enrichment_queue;
analyze bench_works, bench_editions, bench_queue;
"""

CATALOGUE_ONLY = """
update public.works as w
set default_cover_url = b.default_cover_url, description = b.description,
    first_publish_year = b.first_publish_year, enrichment_status = b.enrichment_status,
    enrichment_confidence = b.enrichment_confidence,
    last_enriched_at = now(), updated_at = now()
from bench_works as b where b.id = w.id;
update public.editions as e
set publisher = b.publisher, publish_date = b.publish_date, isbn10 = b.isbn10, language = b.language,
    format = b.format, total_pages = b.total_pages, updated_at = now()
from bench_editions as b where b.id = e.id;
"""

QUEUE_TOO = """
update public.enrichment_queue as q
set confidence = b.confidence, fields_applied = b.fields_applied, providers_attempted = b.providers_attempted,
    match_details = b.match_details, scored_at = now(), updated_at = now()
from bench_queue as b where b.id = q.id;
"""


def seconds(connection: psycopg.Connection, statements: str) -> float:
    """Wall-clock seconds of some statements in one transaction."""
    started = time.perf_counter()
    with connection.transaction():
        connection.execute(statements.encode())
    return time.perf_counter() - started


def run(connection: psycopg.Connection, script: str, works: int) -> None:
    for statement in script.split(";\n")[:-1]:
        connection.execute(statement.encode() if "%(" not in statement else statement, {"works": works})


def count(connection: psycopg.Connection, table_and_condition: str) -> int:
    row = connection.execute(f"select count(*) from {table_and_condition}".encode()).fetchone()
    return row[0] if row else 0


def measure(stack: Stack, works: int) -> dict[str, float]:
    """One round in fresh databases: seconds of both sweeps and of the plain updates."""
    return in_fresh_database(stack, works, measure_updates) | in_fresh_database(stack, works, measure_five)


def in_fresh_database(
    stack: Stack, works: int, part: Callable[[psycopg.Connection, int], dict[str, float]]
) -> dict[str, float]:
    url = stack.create_database(DATABASE, template=stack.migrated_template())
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            return part(connection, works)
    finally:
        stack.drop_database(DATABASE)


def measure_updates(connection: psycopg.Connection, works: int) -> dict[str, float]:
    """The sweep of one record each, then the same written by plain updates."""
    run(connection, LIBRARY, works)
    taken = {"sweep": seconds(connection, f"select count(*) from public.sweep_enrichment({works})")}
    done = count(connection, "public.enrichment_queue where status = 'completed'")
    if done != works:
        raise PlatformError(f"the sweep completed {done} of {works} works")
    run(connection, EMPTIED, works)
    taken["catalogue"] = seconds(connection, CATALOGUE_ONLY)
    taken["with queue"] = taken["catalogue"] + seconds(connection, QUEUE_TOO)
    return taken


def measure_five(connection: psycopg.Connection, works: int) -> dict[str, float]:
    """Reading the replies into candidates, then the sweep that weighs five of them for each work."""
    run(connection, FIVE_FOUND, works)
    taken = {"reading of five": seconds(connection, READ_FIVE)}
    sweep = f"select count(*) from public.sweep_enrichment({works})"
    taken["sweep of five"] = seconds(connection, sweep)
    covered = count(connection, "public.works where default_cover_url is not null")
    if covered != works:
        raise PlatformError(f"the sweep gave {covered} of {works} works a cover")
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--works", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    refuse_foreign_project("the benchmark")
    stack = Stack("test", durable=False)
    stack.up(migrated=False, rest=False)
    try:
        rounds = [measure(stack, options.works) for _ in range(options.rounds)]
    except (PlatformError, psycopg.Error) as error:
        sys.exit(str(error))
    finally:
        stack.down_if_unused()

    sweep = statistics.median(r["sweep"] for r in rounds)
    table = Table(
        "what", "median seconds", "in comparison", title=f"{options.works} works, {options.rounds} rounds"
    )
    table.add_row("sweep_enrichment", f"{sweep:.3f}", f"{options.works / sweep:,.0f} works a second")
    result = {"works": options.works, "sweep_seconds": sweep, "works_per_second": options.works / sweep}
    for name, title in (
        ("reading of five", "reading replies of five books"),
        ("sweep of five", "sweep of 5 candidates a work"),
    ):
        taken = statistics.median(r[name] for r in rounds)
        ratio = statistics.median(r[name] / r["with queue"] for r in rounds)
        table.add_row(title, f"{taken:.3f}", f"{ratio:.1f} times both UPDATEs")
        result |= {f"{name.replace(' ', '_')}_seconds": taken, f"ratio of {name} to both updates": ratio}
    for name, title in (
        ("catalogue", "UPDATE of works and editions"),
        ("with queue", "UPDATE of the queue rows too"),
    ):
        plain = statistics.median(r[name] for r in rounds)
        ratio = statistics.median(r["sweep"] / r[name] for r in rounds)
        table.add_row(title, f"{plain:.3f}", f"the sweep takes {ratio:.1f} times as long")
        result[f"ratio to {title}"] = ratio
    Console(width=max(100, Console().width)).print(table)
    if options.json:
        options.json.write_text(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
