"""The client under test, through each of its transports."""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from supabase import acreate_client

from book_enrichment.database import Database, PostgresTransport, PostgrestTransport, open_database
from book_enrichment.settings import Settings

AsReader = Callable[[uuid.UUID, str], Awaitable[Database]]

TRANSPORTS = ("postgrest", "postgres")


@pytest.fixture(params=TRANSPORTS)
def transport_settings(
    request: pytest.FixtureRequest, database_url: str, supabase_url: str, service_key: str
) -> Settings:
    """Settings that open this test's database through one transport; the test runs once for each."""
    if request.param == "postgres":
        return Settings(_env_file=None, database_url=database_url)
    return Settings(_env_file=None, supabase_url=supabase_url, supabase_service_role_key=service_key)


@pytest.fixture
async def service(transport_settings: Settings) -> AsyncIterator[Database]:
    """The database as the service role sees it."""
    async with open_database(transport_settings) as service:
        yield service


@pytest.fixture
async def as_reader(service: Database, supabase_url: str, anon_key: str) -> AsyncIterator[AsReader]:
    """`await as_reader(*create_reader("ada"))` is the same database by the same transport, for one reader."""
    async with AsyncExitStack() as opened:

        async def as_reader(reader: uuid.UUID, jwt: str) -> Database:
            if isinstance(service.transport, PostgresTransport):
                return Database(service.transport.as_reader({"sub": str(reader)}))
            client: Any = await acreate_client(supabase_url, anon_key)
            client.postgrest.auth(jwt)
            opened.push_async_callback(client.postgrest.aclose)
            return Database(PostgrestTransport(client))

        yield as_reader
