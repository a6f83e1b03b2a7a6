"""Both transports: the same arguments go in, the same values and errors come out. Each runs once for each."""

import socket
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from book_enrichment.database import Database, NotConfigured, open_database
from book_enrichment.database.records import ClaimedRow, Pruned
from book_enrichment.errors import (
    CLASS_BY_CODE,
    DatabaseUnavailable,
    EnrichmentError,
    Forbidden,
    Malformed,
    NotFound,
    VersionMismatch,
    WrongState,
    error_for,
)
from book_enrichment.settings import Settings


async def claimed_row(service: Database, connect, title: str = "Dune") -> ClaimedRow:
    """A work that a worker holds."""
    connection = await connect()
    insert = "insert into public.works (title) values (%s) returning id"
    work_id = (await (await connection.execute(insert, [title])).fetchone())["id"]
    await service.configure_enrichment({"contact": "me@example.org"})
    await service.enqueue_enrichment([work_id])
    (row,) = await service.claim_enrichment("ada")
    return row


async def test_arguments_left_out_keep_the_sql_default(service: Database) -> None:
    """`calls` defaults to 1 in the database; None from here is not a null there."""
    await service.configure_enrichment({"contact": "me@example.org"})
    assert (await service.reserve_provider_calls("openlibrary")).granted == 1


async def test_values_arrive_as_python_types(service: Database, connect) -> None:
    """Ids, moments in UTC, floats, tuples and look-ups, whatever the transport made of them underway."""
    row = await claimed_row(service, connect)
    assert isinstance(row.queue_id, uuid.UUID)
    assert isinstance(row.authors, tuple)
    (lookup,) = row.lookups
    assert (lookup.provider, lookup.kind, lookup.title) == ("openlibrary", "title", "Dune")
    reservation = await service.reserve_provider_calls("openlibrary", calls=50)
    refused = await service.reserve_provider_calls("openlibrary")
    assert (reservation.granted, reservation.retry_after, reservation.reason) == (10, 0.0, None)
    assert isinstance(refused.retry_after, float)
    assert refused.reason == "rate"


async def test_moments_go_in_and_come_back_the_same(service: Database, connect) -> None:
    """To the microsecond, in UTC."""
    row = await claimed_row(service, connect)
    retry_at = datetime(2031, 5, 4, 3, 2, 1, 123456, tzinfo=UTC)
    state = await service.release_enrichment(row.queue_id, row.claim_token, "rate", retry_at)
    assert state is not None
    assert state.next_attempt_after == retry_at
    assert state.next_attempt_after.tzinfo is UTC
    assert (state.status, state.attempt_count, state.wait_reason) == ("pending", 0, "rate")


async def test_a_wait_without_end_has_no_moment(service: Database, connect) -> None:
    """`infinity` is no date; a row that waits for a switch says None."""
    row = await claimed_row(service, connect)
    await (await connect()).execute("update public.enrichment_queue set next_attempt_after = 'infinity'")
    (state,) = await service.call(
        "fail_enrichment", queue_id=row.queue_id, claim_token=row.claim_token, error="x"
    )
    assert state["queue_id"] in (row.queue_id, str(row.queue_id))
    await (await connect()).execute(
        "update public.enrichment_queue set trigger_source = 'scheduled', status = 'pending'"
    )
    await service.configure_enrichment({"auto_enabled": True})
    await service.configure_enrichment({"auto_enabled": False})
    (listed,) = await service.list_enrichment()
    assert (listed.next_attempt_after, listed.wait_reason) == (None, "auto_disabled")


async def test_numbers_with_a_fraction_reach_numeric_parameters(service: Database) -> None:
    """psycopg would send a double, for which there is no such function."""
    before = datetime.now(UTC)
    state = await service.report_provider_calls("openlibrary", failed=1, retry_after=2.5, last_error="503")
    assert state.retry_at is not None
    assert before <= state.retry_at - timedelta(seconds=2.5) <= datetime.now(UTC)
    assert (state.failures, state.paused_reason) == (1, "retry_after")


async def test_spans_of_time_go_in(service: Database, connect) -> None:
    """As an interval, through either transport."""
    row = await claimed_row(service, connect)
    assert await service.reset_stale_enrichment(timedelta(minutes=5)) == []
    (stale,) = await service.reset_stale_enrichment(timedelta(seconds=-1))
    assert (stale.queue_id, stale.wait_reason) == (row.queue_id, "stale")


async def test_empty_lists_are_lists(service: Database, create_reader) -> None:
    """Of rows, of works and of results: nothing in, nothing out, and no error."""
    reader, _ = create_reader("ada")
    assert await service.import_library(reader, "goodreads", []) == []
    assert await service.enqueue_enrichment([]) == []
    assert await service.apply_enrichment([]) == []


async def test_json_keeps_every_character(service: Database, create_reader) -> None:
    """Accents, emoji, quotes and backslashes in a title are the title."""
    reader, _ = create_reader("ada")
    title = 'Les Misérables \\ "Ça" 📚 {}'
    row = {"row_number": 2, "title": title, "authors": ["Victor Hugo"], "status": "to_read"}
    (outcome,) = await service.import_library(reader, "goodreads", [row], uuid.uuid4())
    assert outcome.outcome == "created"
    (again,) = await service.import_library(reader, "goodreads", [row])
    assert (again.outcome, again.work_id) == ("duplicate", outcome.work_id)


@pytest.mark.parametrize(
    ("refused", "error_class", "code"),
    [
        (lambda service: service.report_provider_calls("nobody"), NotFound, "PT404"),
        (lambda service: service.configure_enrichment({"colour": "red"}), Malformed, "PT422"),
        (lambda service: service.release_enrichment(uuid.uuid4(), uuid.uuid4(), "x"), NotFound, "PT404"),
        (lambda service: service.call("no_such_verb", a=1), EnrichmentError, None),
    ],
)
async def test_a_refusal_is_its_class_with_message_and_hint(service, refused, error_class, code) -> None:
    """The class follows from the code alone."""
    with pytest.raises(EnrichmentError) as caught:
        await refused(service)
    assert type(caught.value) is error_class
    assert caught.value.message
    if code:
        assert caught.value.code == code
        assert caught.value.hint


async def test_a_lost_claim_is_a_wrong_state(service: Database, connect) -> None:
    """The row is named in the message, what to do in the hint."""
    row = await claimed_row(service, connect)
    with pytest.raises(WrongState, match=str(row.queue_id)) as caught:
        await service.fail_enrichment(row.queue_id, uuid.uuid4(), "boom")
    assert caught.value.code == "PT409"
    assert caught.value.hint


async def test_a_reader_may_press_the_buttons_and_nothing_else(service, as_reader, create_reader) -> None:
    """Through the direct connection a reader's call runs as PostgREST would run it."""
    ada = await as_reader(*create_reader("ada"))
    foreign = uuid.uuid4()
    (outcome,) = await ada.trigger_enrichment([foreign])
    assert (outcome.work_id, outcome.outcome) == (foreign, "unknown")
    with pytest.raises(Forbidden):
        await ada.enqueue_enrichment([foreign])
    await service.enqueue_enrichment([foreign])


async def test_a_reader_s_claims_end_with_the_call(service, as_reader, create_reader) -> None:
    """The next call on the same connection is the service's again."""
    ada = await as_reader(*create_reader("ada"))
    for _ in range(8):
        await ada.trigger_missing_enrichment()
        await service.configure_enrichment({})


async def test_a_host_s_readers_and_works_are_found(service: Database, create_reader, connect) -> None:
    """A handle names a reader; works come in pages."""
    reader, _ = create_reader("ada")
    assert await service.transport.user_id("ada") == reader
    assert await service.transport.user_id("nobody") is None
    await (await connect()).execute(
        "insert into public.works (title) select 'Book' from generate_series(1, 5)"
    )
    first = await service.transport.work_ids(None, 3)
    second = await service.transport.work_ids(first[-1], 3)
    assert (len(first), len(second)) == (3, 2)
    assert first + second == sorted(first + second)


async def test_a_database_that_is_away_is_unavailable(transport_settings: Settings) -> None:
    """Also behind a transport that somebody else answers, or nobody."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]  # bound and not listening: connections are refused
        if transport_settings.database_url:
            settings = Settings(_env_file=None, database_url=f"postgresql://u:p@127.0.0.1:{port}/postgres")
        else:
            settings = Settings(
                _env_file=None, supabase_url=f"http://127.0.0.1:{port}", supabase_service_role_key="x.y.z"
            )
        async with open_database(settings) as database:
            with pytest.raises(DatabaseUnavailable):
                await database.sweep_enrichment()


async def test_a_connection_that_was_cut_costs_no_later_call(service: Database, connect) -> None:
    """A restarted server, a pooler that closed its side: the next call finds a good connection."""
    await service.configure_enrichment({})
    await (await connect()).execute(
        """
        select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and usename = current_user and pid <> pg_backend_pid()
        """
    )
    assert await service.configure_enrichment({})


async def test_without_settings_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what to set."""
    with pytest.raises(NotConfigured) as caught:
        async with open_database(Settings(_env_file=None)):
            pass
    assert "DATABASE_URL" in (caught.value.hint or "")


def test_every_code_has_one_class() -> None:
    """The five of the contract, and what stands for no answer at all."""
    for code, error_class in CLASS_BY_CODE.items():
        assert type(error_for(code, "m", "h")) is error_class
    for code in ("08006", "53300", "57P01", "57014", "PGRST001", "503"):
        assert type(error_for(code, "m")) is DatabaseUnavailable
    for code in ("PGRST202", "42883", "22P02", None):
        assert type(error_for(code, "m")) is EnrichmentError


def test_a_record_is_read_by_column_name() -> None:
    """A newer database may say more; one that says less is too old for us, and not a None."""
    row = {"subject": "queue", "removed": 3, "added_in_2031": True}
    assert Pruned.from_row(row) == Pruned(subject="queue", removed=3)
    with pytest.raises(VersionMismatch, match="has no removed"):
        Pruned.from_row({"subject": "queue"})
