"""How long the API takes with 100,000 queue rows, beside a bare `select 1`: `make measure-api`.

A catalogue of 100,000 works, each queued once, on the shelves of 100 readers; one of them, with 300 books,
asks. The app runs behind uvicorn on 127.0.0.1, once over PostgREST and once straight over Postgres.
`select 1` is a function that a route of the same app calls for the same reader: token, transport, transaction
and JSON are the same, so what is left is the verb. Requests follow one another in turns, so that a busy
machine hits all alike.

    measure_api.py [--rows N] [--requests N] [--json PATH]
"""

import argparse
import asyncio
import json
import statistics
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import uvicorn
from fastapi import FastAPI
from rich.console import Console
from rich.table import Table

from book_enrichment.api import create_app
from book_enrichment.router import PREFIX, ReaderDatabase
from book_enrichment.settings import Settings
from packages import PlatformError
from stack import Stack, refuse_foreign_project

DATABASE = "measure_api"
READERS = 100
BOOKS = 300
ISSUER = "http://measured"

# Past triggers and keys, so that closed rows can be made at once. Of ten rows six are completed, one waits
# for review, two wait in line, one has failed.
FILL = """
set session_replication_role = replica;
create temporary table numbered as
select n, gen_random_uuid() as work_id, gen_random_uuid() as edition_id, gen_random_uuid() as author_id
from generate_series(1, %(rows)s) as n;
insert into public.works (id, title, description, default_cover_url)
select work_id, 'The Crimson Harbor of Haddad ' || n,
    case when n %% 3 = 0 then repeat('Lorem ipsum. ', 40) end,
    case when n %% 2 = 0 then 'https://covers.openlibrary.org/b/id/' || n || '-M.jpg' end
from numbered;
insert into public.editions (id, work_id, isbn13)
select edition_id, work_id, enrichment.isbn13_of('978' || lpad(n::text, 9, '0')) from numbered;
insert into public.authors (id, name) select author_id, 'Farid Dahl ' || n from numbered;
insert into public.work_authors (work_id, author_id) select work_id, author_id from numbered;
insert into auth.users (id, email) select r, 'r' || r || '@example.org' from unnest(%(readers)s) as r;
insert into public.users (id, handle) select r, 'r' || r from unnest(%(readers)s) as r;
insert into public.library_items (user_id, work_id, preferred_edition_id, status, visibility)
select (%(readers)s)[2 + n %% (cardinality(%(readers)s) - 1)], work_id, edition_id, 'to_read', 'private'
from numbered;
insert into public.library_items (user_id, work_id, preferred_edition_id, status, visibility)
select (%(readers)s)[1], work_id, edition_id, 'to_read', 'private'
from numbered where n %% (%(rows)s / %(books)s) = 0 limit %(books)s;
insert into public.enrichment_queue (
    work_id, edition_id, triggered_by, trigger_source, status, confidence, wait_reason, next_attempt_after,
    finished_at, created_at, match_details
)
select work_id, edition_id, (%(readers)s)[1], 'post_import', status,
    case when status <> 'pending' then 'high'::enrichment.confidence end,
    case when status = 'pending' then 'rate' end, now() + interval '1 hour',
    case when status not in ('pending', 'needs_review') then now() end,
    now() - n * interval '1 second',
    case when status = 'needs_review' then jsonb_build_object(
        'sentence', 'same ISBN, title equal, author equal',
        'candidates', jsonb_build_array(jsonb_build_object(
            'candidate', 'openlibrary:/works/OL' || n || 'W', 'provider', 'openlibrary',
            'title', 'The Crimson Harbor of Haddad ' || n,
            'parts', jsonb_build_object('note', repeat('x', 700))
        )),
        'proposals', jsonb_build_object('work.description', jsonb_build_object(
            'value', repeat('Lorem ipsum. ', 40), 'provider', 'openlibrary', 'confidence', 'high',
            'work_key', '/works/OL' || n || 'W', 'candidate', 'openlibrary:/works/OL' || n || 'W'
        ))
    ) end
from (
    select numbered.*, ((array[
        'completed', 'completed', 'completed', 'completed', 'completed', 'completed', 'needs_review',
        'pending', 'pending', 'failed'
    ])[1 + (n / 7) %% 10])::enrichment.queue_status as status
    from numbered
) as stated;
set session_replication_role = origin;
create function public.select_one() returns setof integer language sql stable as 'select 1';
grant execute on function public.select_one() to authenticated;
"""


def fill(url: str, rows: int, readers: list[uuid.UUID]) -> list[str]:
    """The catalogue; the ids of the works that the first reader has."""
    values = {"rows": rows, "readers": readers, "books": min(BOOKS, rows)}
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in FILL.split(";\n")[:-1]:
            connection.execute(statement.encode(), values)
        connection.execute("vacuum analyze")
        shelf = connection.execute(
            "select work_id::text from public.library_items where user_id = %s order by work_id", [readers[0]]
        )
        return [work_id for (work_id,) in shelf.fetchall()]


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """The address of the app, behind uvicorn in a thread."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise PlatformError("the app did not start")
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def app_for(settings: Settings) -> FastAPI:
    """The app, with a route that asks for as little as can be asked."""
    app = create_app(settings, worker=False)

    @app.get("/select-1")
    async def select_1(database: ReaderDatabase) -> dict[str, Any]:
        await database.call("select_one")
        return {"items": []}

    return app


async def ask(address: str, token: str, requests: int, shelf: list[str]) -> dict[str, list[float]]:
    """Milliseconds of each request, by what was asked for."""
    badges = f"{PREFIX}/status?work_ids={','.join(shelf[:50])}"
    questions = {
        "select 1": "/select-1",
        "GET /queue": f"{PREFIX}/queue",
        "GET /queue?status=needs_review": f"{PREFIX}/queue?status=needs_review",
        "GET /status (50 works)": badges,
        "GET /library": f"{PREFIX}/library",
        "GET /summary": f"{PREFIX}/summary",
    }
    taken: dict[str, list[float]] = {name: [] for name in questions}
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=address, headers=headers, trust_env=False, timeout=60) as client:
        for turn in range(-10, requests):
            for name, path in questions.items():
                started = time.perf_counter()
                answer = await client.get(path)
                answer.raise_for_status()
                if turn >= 0:  # the first ten warm everything up
                    taken[name].append((time.perf_counter() - started) * 1000)
    return taken


def measure(stack: Stack, rows: int, requests: int) -> dict[str, dict[str, dict[str, float]]]:
    """Transport → question → p50 and p95 in milliseconds."""
    readers = [uuid.uuid4() for _ in range(READERS)]
    stack.create_database(DATABASE, template=stack.migrated_template())
    try:
        shelf = fill(stack.superuser_url(DATABASE), rows, readers)
        token = stack.token("authenticated", str(readers[0]), iss=ISSUER)
        common = {"supabase_jwt_secret": stack.secrets.jwt_secret, "supabase_jwt_issuer": ISSUER}
        transports = {
            "PostgREST": Settings(
                _env_file=None,
                supabase_url=stack.rest(DATABASE).url,
                supabase_anon_key=stack.anon_key,
                **common,
            ),
            "Postgres": Settings(_env_file=None, database_url=stack.database_url(DATABASE), **common),
        }
        figures = {}
        for transport, settings in transports.items():
            with serving(app_for(settings)) as address:
                taken = asyncio.run(ask(address, token, requests, shelf))
            figures[transport] = {
                name: {"p50": statistics.median(each), "p95": statistics.quantiles(each, n=20)[-1]}
                for name, each in taken.items()
            }
        return figures
    finally:
        stack.drop_database(DATABASE)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    refuse_foreign_project("the measurement")
    stack = Stack("test", durable=False)
    stack.up(migrated=False, rest=False)
    try:
        figures = measure(stack, options.rows, options.requests)
    except (PlatformError, psycopg.Error, httpx.HTTPError) as error:
        sys.exit(str(error))
    finally:
        stack.down_if_unused()
    title = f"milliseconds, {options.rows:,} queue rows, a reader with {BOOKS} books"
    table = Table("through", "asked for", "p50", "p95", "p50 beside select 1", title=title)
    for transport, questions in figures.items():
        for name, taken in questions.items():
            beside = taken["p50"] / questions["select 1"]["p50"]
            table.add_row(transport, name, f"{taken['p50']:.1f}", f"{taken['p95']:.1f}", f"{beside:.1f}×")
        table.add_section()
    Console().print(table)
    if options.json:
        options.json.write_text(json.dumps({"rows": options.rows, "milliseconds": figures}, indent=2))


if __name__ == "__main__":
    main()
