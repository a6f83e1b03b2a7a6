"""A worker where no database answers, and how long one sleeps."""

import pytest

from book_enrichment.errors import DatabaseUnavailable
from book_enrichment.settings import Settings
from book_enrichment.work import open_worker
from book_enrichment.work.loop import sleep_seconds


@pytest.mark.parametrize(
    ("due_in", "idle", "seconds"),
    [(None, 0, 30), (5.0, 0, 5), (4000.0, 0, 30), (0.001, 0, 0.1), (0.0, 1, 1), (0.0, 2, 2), (0.0, 9, 30)],
)
def test_it_sleeps_until_the_time_the_database_named(due_in, idle, seconds) -> None:
    """At most half a minute; and longer and longer while rows are due that cannot be claimed."""
    assert sleep_seconds(due_in, idle) == seconds


async def test_draining_a_database_that_is_away_ends_with_the_patience() -> None:
    """`run --drain` in a cron job must not hang for ever."""
    settings = Settings(_env_file=None, database_url="postgresql://u:p@127.0.0.1:1/postgres")
    async with open_worker(settings) as worker:
        with pytest.raises(DatabaseUnavailable):
            await worker.run(drain=True, patience=0)
