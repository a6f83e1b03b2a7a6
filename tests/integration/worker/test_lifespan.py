"""Inside an app: the worker lives as long as the app does, and a request only wakes it."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator

import httpx
from fastapi import BackgroundTasks, FastAPI

from book_enrichment.work import open_worker, running

from .conftest import eventually


async def test_running_ends_with_its_block(worker) -> None:
    """As a FastAPI lifespan ends: the worker has let go when the block is left."""
    async with running(worker) as same:
        assert same is worker
    assert worker.stopped
    assert not worker._alone.locked()


async def test_drain_beside_a_running_worker_only_wakes_it(worker, add_books, queue) -> None:
    """A BackgroundTask after each request must not pile up workers."""
    async with running(worker):
        await eventually(worker._alone.locked)
        await add_books()
        await asyncio.wait_for(worker.drain(), 1)

        async def done() -> bool:
            return {row["status"] for row in await queue()} == {"completed"}

        await eventually(done, 10)


async def test_it_lives_in_a_fastapi_app(settings, connect) -> None:
    """Lifespan runs it; an endpoint puts a work in line and leaves the rest to a BackgroundTask."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_worker(settings) as app.state.worker, running(app.state.worker):
            yield

    app = FastAPI(lifespan=lifespan)

    @app.post("/works/{work_id}/enrich")
    async def enrich(work_id: uuid.UUID, tasks: BackgroundTasks) -> str:
        (outcome,) = await app.state.worker.database.enqueue_enrichment([work_id])
        tasks.add_task(app.state.worker.drain)
        return str(outcome.outcome)

    connection = await connect()
    work_id = uuid.uuid4()
    insert = "insert into public.works (id, title) values (%s, 'The Left Hand of Darkness')"
    await connection.execute(insert, [work_id])
    await connection.execute("insert into authors (id, name) values (%s, 'Ursula K. Le Guin')", [work_id])
    await connection.execute("insert into work_authors (work_id, author_id) values (%s, %s)", [work_id] * 2)

    async def covered() -> bool:
        query = "select count(*) as covers from works where default_cover_url is not null"
        return (await (await connection.execute(query)).fetchone())["covers"] == 1

    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
            assert (await client.post(f"/works/{work_id}/enrich")).json() == "enqueued"
        await eventually(covered)
