"""schemathesis with all its checks: what the description says is what happens, also to nonsense.

For each operation it invents requests that fit the description and requests that do not, as a reader with a
small library, and compares status, headers, content type and body with what is described.
"""

import os
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import schemathesis
from hypothesis import HealthCheck, settings

from book_enrichment.api import create_app
from book_enrichment.settings import Settings

from .conftest import PREFIX, Reader, Server

SETTINGS = Settings(_env_file=None, supabase_url="http://127.0.0.1:1", supabase_anon_key="x")
WORK, EDITION, QUEUED, REVIEWED, IMPORT = (uuid.UUID(int=number) for number in range(1, 6))

EXPORTS = {
    "goodreads": b"Book Id,Title,Author,ISBN,ISBN13,My Rating,Exclusive Shelf,Date Added,Bookshelves\n",
    "storygraph": b"Title,Authors,ISBN/UID,Format,Read Status,Date Added,Star Rating,Tags\n",
}

LIBRARY = """
with reader as (
    insert into auth.users (id, email) values (%(reader)s, 'ada@example.org') returning id
), known as (
    insert into public.users (id, handle) select id, 'ada' from reader returning id
), work as (
    insert into public.works (id, title) values (%(work)s, 'Dune') returning id
), edition as (
    insert into public.editions (id, work_id, isbn13) select %(edition)s, id, '9780441172719' from work
)
insert into public.library_items (user_id, work_id, status, visibility)
select known.id, work.id, 'to_read', 'private' from known, work
"""


@pytest.fixture(scope="module")
def library(stack) -> Iterator[tuple[str, Reader]]:
    """A database with one reader and one book, and the reader's session."""
    name = f"pytest_{os.getpid()}_schema"
    stack.create_database(name, template=stack.migrated_template())
    ada = Reader(uuid.uuid4(), "")
    with psycopg.connect(stack.database_url(name)) as connection:
        connection.execute(LIBRARY, {"reader": ada.id, "work": WORK, "edition": EDITION, "queued": QUEUED})
    yield stack.database_url(name), ada
    stack.drop_database(name)


@pytest.fixture(scope="module")
def server(stack, library) -> Iterator[tuple[str, dict[str, str]]]:
    """The address of a running app and the headers of its reader."""
    url, ada = library
    token = stack.token("authenticated", str(ada.id), iss="http://127.0.0.1:1/auth/v1")
    secret = stack.secrets.jwt_secret
    app = create_app(
        SETTINGS.model_copy(update={"database_url": _secret(url), "supabase_jwt_secret": _secret(secret)}),
        False,
    )
    server = Server(app).start()
    yield server.url.removesuffix(PREFIX), {"Authorization": f"Bearer {token}"}
    server.stop()


def _secret(value: str) -> Any:
    from pydantic import SecretStr

    return SecretStr(value)


schema = schemathesis.openapi.from_dict(create_app(SETTINGS, worker=False).openapi())


@schema.hook
def map_case(context: Any, case: schemathesis.Case) -> schemathesis.Case:
    """Into requests that fit the description goes what a description cannot say.

    Every other time the work that is there, so that there is something to see; and a file that is an export.
    """
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return case
    if case.method == "GET" and str(case.path_parameters.get("work_id", "")).endswith(tuple("02468ace")):
        case.path_parameters["work_id"] = str(WORK)
    if case.path.endswith("/import") and isinstance(case.body, dict):
        case.body["file"] = EXPORTS[case.body.get("source") or "goodreads"]
    return case


@schema.parametrize()
@settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_what_is_described_happens(case, server) -> None:
    """Every check schemathesis has."""
    address, headers = server
    case.call_and_validate(base_url=address, headers=headers)
