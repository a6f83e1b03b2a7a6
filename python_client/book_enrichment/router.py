"""The REST API for a FastAPI app that is already there, and what the app's own routes may use of it.

app = FastAPI()
app.include_router(create_router())    # routes under /api/v1/enrichment; its lifespan opens the database


@app.get("/works/{work_id}")
async def work(work_id: UUID, enrichment: ReaderDatabase):
    return {**await my_work(work_id), **(await enrichment_fields(enrichment, [work_id])).get(work_id, {})}
"""

from book_enrichment.api.routes import PREFIX, create_router, enrichment_fields
from book_enrichment.api.services import CurrentReader, ReaderDatabase

__all__ = ["PREFIX", "CurrentReader", "ReaderDatabase", "create_router", "enrichment_fields"]
