"""Settings: what the environment says, and what of it is written to the database."""

from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict
from pydantic import ValidationError

from book_enrichment.settings import FLAGS, Settings


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable of ours, and a folder without a .env file."""
    monkeypatch.chdir(tmp_path)
    for variable in ("GOOGLE_BOOKS_API_KEY", *(f"ENRICHMENT_{flag.upper()}" for flag in FLAGS)):
        monkeypatch.delenv(variable, raising=False)


def test_only_flags_that_are_set_are_written() -> None:
    """A database that was configured by hand is not reset to our defaults by a client that says nothing."""
    assert Settings().flags() == {}


def test_a_flag_that_is_set_is_written_with_its_type(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one whose value is the default."""
    monkeypatch.setenv("ENRICHMENT_AUTO_ENABLED", "true")
    monkeypatch.setenv("ENRICHMENT_AUTO_APPLY_COVERS", "true")
    monkeypatch.setenv("ENRICHMENT_BATCH_SIZE", "25")
    monkeypatch.setenv("ENRICHMENT_CONTACT", "me@example.org")
    assert Settings().flags() == {
        "auto_enabled": True,
        "auto_apply_covers": True,
        "batch_size": 25,
        "contact": "me@example.org",
    }


def test_what_the_database_owns_has_no_default_here() -> None:
    """It would look like the value in force, and be none."""
    assert {flag: getattr(Settings(), flag) for flag in FLAGS} == dict.fromkeys(FLAGS)


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """`ENRICHMENT_CONTACT=` in a hosting panel is how people leave it out."""
    monkeypatch.setenv("ENRICHMENT_CONTACT", "")
    monkeypatch.setenv("ENRICHMENT_AUTO_ENABLED", "")
    assert Settings().flags() == {}


def test_a_dotenv_file_is_read_and_the_environment_wins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Foreign lines in it are left alone."""
    (tmp_path / ".env").write_text(
        "ENRICHMENT_CONTACT=file@example.org\nENRICHMENT_BATCH_SIZE=7\nOTHER_TOOL=1\n", encoding="utf-8"
    )
    monkeypatch.setenv("ENRICHMENT_BATCH_SIZE", "8")
    assert Settings().flags() == {"contact": "file@example.org", "batch_size": 8}


def test_secrets_never_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither in a repr nor among the flags."""
    monkeypatch.setenv("SUPABASE_SERVICE_ROLE_KEY", "key-one")
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:key-two@db/postgres")
    monkeypatch.setenv("GOOGLE_BOOKS_API_KEY", "key-three")
    settings = Settings()
    assert "key-" not in f"{settings!r} {settings} {settings.flags()}"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ENRICHMENT_BATCH_SIZE", "many"),
        ("ENRICHMENT_AUTO_ENABLED", "perhaps"),
        ("ENRICHMENT_CONTACT", "a friend"),
    ],
)
def test_a_wrong_value_is_refused_at_the_start(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    """Not when the first call is made with it. What is of the right kind, the database judges."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(ValidationError, match=variable):
        Settings()


def test_google_is_asked_for_a_country_of_two_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    """The United States unless said otherwise."""
    assert Settings().google_books_country == "US"
    monkeypatch.setenv("ENRICHMENT_GOOGLE_BOOKS_COUNTRY", "de")
    assert Settings().google_books_country == "de"
    monkeypatch.setenv("ENRICHMENT_GOOGLE_BOOKS_COUNTRY", "Germany")
    with pytest.raises(ValidationError, match="ENRICHMENT_GOOGLE_BOOKS_COUNTRY"):
        Settings()


def test_the_google_key_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither printed nor among the flags that go to the database."""
    monkeypatch.setenv("GOOGLE_BOOKS_API_KEY", "a-key-that-is-nobodys-business")
    settings = Settings()
    assert "nobodys" not in repr(settings) + str(settings) + str(settings.flags())


@pytest.mark.parametrize("scheme", ["postgresql+asyncpg", "postgresql+psycopg", "postgres", "postgresql"])
def test_an_address_written_for_sqlalchemy_is_understood(
    monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    """Most FastAPI apps have one in DATABASE_URL already, with the driver in its scheme."""
    monkeypatch.setenv("DATABASE_URL", f"{scheme}://reader:s3cret@db.example.org:5432/postgres")
    address = Settings().database_url
    assert address is not None
    assert conninfo_to_dict(address.get_secret_value())["password"] == "s3cret"


@pytest.mark.parametrize(
    "address",
    [
        "s3cret@db.example.org",
        "mysql://reader:s3cret@db.example.org/books",
        "postgresql://reader:x@s3cret@db.example.org/postgres",
        "postgresql+asyncpg://reader:s3cret@db.example.org/postgres?ssl=require",
    ],
)
def test_an_address_that_is_none_is_refused_without_showing_it(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    """At the start, not in the log of every attempt to connect: the password is in it."""
    monkeypatch.setenv("DATABASE_URL", address)
    with pytest.raises(ValidationError) as refused:
        Settings()
    assert "postgresql://user:password@host" in str(refused.value)
    assert "s3cret" not in str(refused.value)


def test_a_wrong_variable_is_named_without_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be a key in the wrong place, and a host's log shows what ended it."""
    monkeypatch.setenv("ENRICHMENT_CONTACT", "sb_secret_of_the_project")
    with pytest.raises(ValidationError, match="ENRICHMENT_CONTACT") as refused:
        Settings()
    assert "sb_secret" not in str(refused.value)


def test_the_project_s_address_is_a_web_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """The host alone, as the dashboard shows it in places, would fail deep inside the first call."""
    monkeypatch.setenv("SUPABASE_URL", "abcdefgh.supabase.co")
    with pytest.raises(ValidationError, match="SUPABASE_URL"):
        Settings()
