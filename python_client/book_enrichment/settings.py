"""What can be set from outside, in one place: environment variables, or a `.env` file in the current folder.

Read once when a program starts, then handed to whoever needs it. The flags among them live in the database,
where every worker sees the same ones; `flags()` tells which of them this environment really sets, and only
those are written there.
"""

from __future__ import annotations

import re
from typing import Annotated

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict
from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

# The settings of the database that an environment may set: the variable is the name in capitals after
# ENRICHMENT_.
FLAGS = (
    "auto_enabled",
    "auto_apply_covers",
    "auto_apply_metadata",
    "batch_size",
    "provider_delay_ms",
    "contact",
    "cover_mode",
)

# One printable word that somebody can write to.
CONTACT = r"^[!-~]*(@|https?://)[!-~]+$"

WEB_ADDRESS = r"^https?://[!-~]+$"
# As browsers send them: without a path. No wildcard, which nobody means.
ORIGINS = r"^https?://[^\s,/*]+(,https?://[^\s,/*]+)*$"


def _postgres_address(address: SecretStr) -> SecretStr:
    """As libpq takes it: hosts write `postgresql+asyncpg://…` for SQLAlchemy into the same variable.

    What libpq cannot read would be tried again and again, and its messages quote the password.
    """
    plain = re.sub(r"^(postgres(?:ql)?)\+\w+(?=://)", r"\1", address.get_secret_value().strip())
    try:
        is_readable = "@" not in str(conninfo_to_dict(plain).get("host", ""))
    except ProgrammingError:
        is_readable = False
    if not is_readable:
        raise ValueError(
            "should be postgresql://user:password@host:port/postgres, with every special character of the "
            "password percent-encoded and no options but libpq's"
        )
    return SecretStr(plain)


class Settings(BaseSettings):
    """The environment, typed. An empty variable counts as not set; secrets never show in logs."""

    model_config = SettingsConfigDict(
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        populate_by_name=True,
        frozen=True,
        hide_input_in_errors=True,  # a host that starts with a wrong variable logs the error
    )

    supabase_url: Annotated[str | None, Field(validation_alias="SUPABASE_URL", pattern=WEB_ADDRESS)] = None
    """Address of the project, `https://<ref>.supabase.co`. With the service role key: through PostgREST."""

    supabase_service_role_key: Annotated[
        SecretStr | None, Field(validation_alias="SUPABASE_SERVICE_ROLE_KEY")
    ] = None
    """The key that may call the service verbs. Secret."""

    database_url: Annotated[
        SecretStr | None,
        AfterValidator(lambda address: address and _postgres_address(address)),
        Field(validation_alias="DATABASE_URL"),
    ] = None
    """`postgresql://…` straight to Postgres; wins when both are set. Secret, since it carries a password."""

    supabase_anon_key: Annotated[str | None, Field(validation_alias="SUPABASE_ANON_KEY")] = None
    """The public API key (anon or publishable): what the API sends along with a reader's own token."""

    supabase_jwt_secret: Annotated[SecretStr | None, Field(validation_alias="SUPABASE_JWT_SECRET")] = None
    """What readers' tokens are signed with, where that is HS256 and not a key that is published. Secret."""

    supabase_jwt_issuer: Annotated[str | None, Field(validation_alias="SUPABASE_JWT_ISSUER")] = None
    """Who issues readers' tokens, where that is not `SUPABASE_URL` and `/auth/v1` (custom domains)."""

    worker_enabled: Annotated[bool, Field(validation_alias="ENRICHMENT_WORKER_ENABLED")] = True
    """Does a worker run inside the API? Off where `book-enrichment run` does the work elsewhere."""

    allowed_origins: Annotated[
        str | None, Field(validation_alias="ENRICHMENT_ALLOWED_ORIGINS", pattern=ORIGINS)
    ] = None
    """Front ends on other hosts whose pages may call the API that `serve` runs: origins, commas between."""

    # What the database has (`FLAGS`): defaults and bounds are its own, and None says nothing about them.

    auto_enabled: Annotated[bool | None, Field(validation_alias="ENRICHMENT_AUTO_ENABLED")] = None
    """Master switch: may rows that nobody asked for by hand (imports, scheduled) be worked on?"""

    auto_apply_covers: Annotated[bool | None, Field(validation_alias="ENRICHMENT_AUTO_APPLY_COVERS")] = None
    """May a good match fill an empty cover without a person looking at it?"""

    auto_apply_metadata: Annotated[bool | None, Field(validation_alias="ENRICHMENT_AUTO_APPLY_METADATA")] = (
        None
    )
    """May an excellent match fill empty text fields without a person looking at them?"""

    batch_size: Annotated[int | None, Field(validation_alias="ENRICHMENT_BATCH_SIZE")] = None
    """Works per claim."""

    provider_delay_ms: Annotated[int | None, Field(validation_alias="ENRICHMENT_PROVIDER_DELAY_MS")] = None
    """Least gap between two calls of one worker to one provider, milliseconds."""

    contact: Annotated[str | None, Field(validation_alias="ENRICHMENT_CONTACT", pattern=CONTACT)] = None
    """E-mail or web address for the User-Agent. Open Library is not asked without one."""

    cover_mode: Annotated[str | None, Field(validation_alias="ENRICHMENT_COVER_MODE")] = None
    """Show the provider's covers from where they are, or keep small copies of Open Library's in Storage."""

    covers_url: Annotated[str | None, Field(validation_alias="ENRICHMENT_COVERS_URL")] = None
    """A server that stands in for every host covers come from; only for the demo and the tests."""

    google_books_api_key: Annotated[SecretStr | None, Field(validation_alias="GOOGLE_BOOKS_API_KEY")] = None
    """Key for Google Books; not asked without one. Secret: the database only learns that there is one."""

    google_books_country: Annotated[
        str, Field(validation_alias="ENRICHMENT_GOOGLE_BOOKS_COUNTRY", pattern="^[A-Za-z]{2}$")
    ] = "US"
    """Two letters. Google answers for a country, and refuses servers in data centres that name none."""

    open_library_url: Annotated[str, Field(validation_alias="ENRICHMENT_OPEN_LIBRARY_URL")] = (
        "https://openlibrary.org"
    )
    """Where Open Library answers; the demo and the tests point it to a server of their own."""

    google_books_url: Annotated[str, Field(validation_alias="ENRICHMENT_GOOGLE_BOOKS_URL")] = (
        "https://www.googleapis.com/books/v1"
    )
    """Where Google Books answers, up to and with the version."""

    def flags(self) -> dict[str, bool | int | str]:
        """The flags this environment sets, for `configure_enrichment`; others keep their value there."""
        return {name: value for name in FLAGS if (value := getattr(self, name)) is not None}
