"""The local platform: the smallest honest Supabase without Docker.

A `Stack` is one private Postgres cluster (cluster.py) that looks like a hosted project to our SQL
(roles.sql, database.sql, cron.sql), with the migrations applied and a REST API (rest.py).
Tests use the class; people use `make up` and its like (commands.py).

Stacks live in .local/<name>: `dev` is the person's own, `test` belongs to make test.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import jwt
import psycopg
from dotenv import dotenv_values
from psycopg import sql

from book_enrichment.migrate import ForeignSteps, MigrationError, Step, migrate
from book_enrichment.migrate.steps import steps_in
from cluster import Cluster
from packages import LOCAL, ROOT, PlatformError, postgrest, say
from postgres import DEBIAN, Postgres
from rest import RestApi

HERE = Path(__file__).resolve().parent
MIGRATIONS = ROOT / "supabase" / "migrations"
TEN_YEARS = 10 * 365 * 24 * 3600  # how long a hosted project's API keys are good for
BLANK = "blank"  # the template of every new database: the platform without our migrations


@dataclass(frozen=True)
class Secrets:
    """What is generated once per stack."""

    jwt_secret: str
    postgres_password: str
    authenticator_password: str
    issued_at: int

    def token(self, role: str, sub: str | None = None, **claims: Any) -> str:
        """A JWT as Supabase Auth would sign it: `role` for PostgREST, `sub` for auth.uid()."""
        payload = {
            "iss": "supabase-local",
            "iat": self.issued_at,
            "exp": self.issued_at + TEN_YEARS,
            "role": role,
        }
        if sub is not None:
            payload |= {"sub": str(sub), "aud": "authenticated"}
        return jwt.encode(payload | claims, self.jwt_secret, algorithm="HS256")


def platform_digest(postgres: Postgres) -> str:
    """Changes with the files that every new database starts from, and with Postgres' major version."""
    texts = [str(postgres.major).encode()]
    texts += [(HERE / name).read_bytes() for name in ("roles.sql", "database.sql", "cron.sql")]
    return hashlib.sha256(b"\0".join(texts)).hexdigest()


class Stack:
    """One local Supabase. Making the object touches nothing; `up` makes and starts what is missing."""

    def __init__(
        self,
        name: str = "dev",
        durable: bool = True,
        migrations: Path = MIGRATIONS,
        postgres: Postgres = DEBIAN,
    ) -> None:
        """`durable=False` for tests (see Cluster). `migrations`: another folder than the repository's.
        `postgres`: another than Debian's, which needs a name of its own."""
        self.name = name
        self.folder = LOCAL / name
        self.cluster = Cluster(self.folder, durable, postgres)
        self.migrations = migrations
        self._secrets_file = self.folder / "secrets.json"
        self._ready_file = self.folder / "ready"
        self._in_use: IO[str] | None = None

    # Life

    def up(self, migrated: bool = True, rest: bool = True, rebuild: bool = False) -> None:
        """Makes the cluster if there is none, starts it, applies missing migrations, opens the REST API.

        `rebuild`: when applied migrations were edited, database postgres is thrown away and made anew; its
        cron jobs then wait for the next start of the server, because pg_cron gives up when its database goes.

        Raises PlatformError, with everything running, when a migration fails; ForeignSteps when applied
        ones were edited since.
        """
        with self._alone():
            self.cluster.postgres.install()
            if rest:
                postgrest()
            self._use()
            if not self._is_of_this_platform():
                self._create()
            self.cluster.start()
            trouble: PlatformError | ForeignSteps | None = None
            if migrated:
                try:
                    self._migrate_postgres(rebuild)
                except (PlatformError, ForeignSteps) as error:
                    trouble = error
            if rest:
                self._rest("postgres").start()
            if trouble:
                raise trouble

    def down(self) -> bool:
        """Stops every process of this stack and answers whether there was one; the data stays."""
        with self._alone():
            self._leave()
            return self._stop()

    def down_if_unused(self) -> None:
        """Stops the stack unless another process brought it up as well and still uses it."""
        with self._alone(), (self.folder / "in_use").open("w") as file:
            self._leave()
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._stop()

    def reset(self) -> None:
        """Throws everything away, also the secrets, and begins anew."""
        self.remove()
        self.up()

    def remove(self) -> None:
        """Stops the stack and removes all it holds."""
        if self.folder.exists():
            self.down()
        self.cluster.wipe()
        shutil.rmtree(self.folder, ignore_errors=True)

    def stop_immediate(self) -> None:
        """The crash: Postgres stops at once, without a checkpoint. `start` brings it back by recovery."""
        self.cluster.stop("immediate")

    def start(self) -> None:
        """Starts Postgres again after `stop_immediate`, at the same port."""
        self.cluster.start()

    @property
    def running(self) -> bool:
        """Whether Postgres runs."""
        return self.cluster.pid() is not None

    # Addresses and keys

    @property
    def secrets(self) -> Secrets:
        """The secrets of this stack; they exist from the first `up` to the next `reset`."""
        return Secrets(**json.loads(self._secrets_file.read_text()))

    @property
    def anon_key(self) -> str:
        """The public API key."""
        return self.token("anon")

    @property
    def service_key(self) -> str:
        """The API key that passes every policy."""
        return self.token("service_role")

    def token(self, role: str, sub: str | None = None, **claims: Any) -> str:
        """A JWT for `role`; `sub` is the reader's id."""
        return self.secrets.token(role, sub, **claims)

    def database_url(self, database: str = "postgres") -> str:
        """The address of a database for role postgres, which is not a superuser."""
        return self.cluster.url("postgres", database, self.secrets.postgres_password)

    def superuser_url(self, database: str = "postgres") -> str:
        """The address of a database for supabase_admin: for what a hosted project does behind our back."""
        return self.cluster.superuser_url(database)

    def environment(self) -> dict[str, str]:
        """The variables that point the client, or any other program, at this stack."""
        return {
            "SUPABASE_URL": self._rest("postgres").url,
            "SUPABASE_ANON_KEY": self.anon_key,
            "SUPABASE_SERVICE_ROLE_KEY": self.service_key,
            "SUPABASE_JWT_SECRET": self.secrets.jwt_secret,
            "DATABASE_URL": self.database_url(),
        }

    # Databases

    def create_database(self, name: str, default_grants: bool = True, template: str = BLANK) -> str:
        """A new database and its address. It holds the platform, or what `template` holds, but never pg_cron.

        `default_grants` says what the API roles get on objects that role postgres makes in schema public:
        everything, as in older hosted projects, or nothing, as in newer ones.
        """
        create = sql.SQL("create database {} template {} owner postgres")
        with self.cluster.superuser("template1") as connection:
            connection.execute(create.format(sql.Identifier(name), sql.Identifier(template)))
        if not default_grants:
            self._run_file("no_default_grants.sql", name)
        return self.database_url(name)

    def drop_database(self, name: str) -> None:
        """Closes the REST API of a database, ends its connections and drops it."""
        self._rest(name).remove()
        with self.cluster.superuser("template1") as connection:
            connection.execute(
                sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name))
            )

    def migrated_template(self) -> str:
        """The name of a database with all migrations applied, to be cloned; made when the files are new."""
        texts = "\0".join(step.text for step in self.steps)
        name = f"migrated_{hashlib.sha256(texts.encode()).hexdigest()[:12]}"
        with self._alone(), self.cluster.superuser("template1") as connection:
            rows = connection.execute("select datname from pg_database where datname like 'migrated_%'")
            databases = {row[0] for row in rows}
            if name not in databases:
                for stale in databases:
                    self.drop_database(stale)
                self.create_database(f"{name}_new")
                try:
                    self.migrate(f"{name}_new")
                except BaseException:
                    self.drop_database(f"{name}_new")
                    raise
                rename = sql.SQL("alter database {} rename to {}")
                connection.execute(rename.format(sql.Identifier(f"{name}_new"), sql.Identifier(name)))
        return name

    def migrate(self, database: str = "postgres") -> list[str]:
        """Applies the missing migrations to a database and answers their names."""
        try:
            return migrate(self.database_url(database), steps=self.steps)
        except ForeignSteps:
            raise
        except MigrationError as error:
            raise PlatformError(f"{error.message}\n{error.hint}") from error

    @property
    def steps(self) -> tuple[Step, ...]:
        """The migrations, first to last, as they are now."""
        return steps_in(self.migrations)

    def rest(self, database: str) -> RestApi:
        """The REST API of a database, opened. It closes at the latest when this process ends."""
        api = self._rest(database)
        api.start(with_us=True)
        return api

    # Inside

    def _is_of_this_platform(self) -> bool:
        """Whether there is a cluster and its platform is today's; one for tests is then made anew."""
        if not self._ready_file.exists():
            return False
        if self._ready_file.read_text() == platform_digest(self.cluster.postgres):
            return True
        if self.cluster.durable:
            raise PlatformError(
                f"The local platform of stack {self.name} is of another version: make reset begins anew."
            )
        self._stop()
        return False

    def _stop(self) -> bool:
        stopped = [
            self._rest(folder.name.removeprefix("rest-")).stop() for folder in self.folder.glob("rest-*")
        ]
        return self.cluster.stop() or any(stopped)

    def _create(self) -> None:
        say(f"Making a new Postgres cluster for stack {self.name} ...")
        self.cluster.create()
        generated = Secrets(
            jwt_secret=secrets.token_hex(20),
            postgres_password=secrets.token_hex(20),
            authenticator_password=secrets.token_hex(20),
            issued_at=int(time.time()),
        )
        self._secrets_file.touch(mode=0o600)
        self._secrets_file.write_text(json.dumps(asdict(generated)))
        self.cluster.start()
        self._run_file("roles.sql", "template1")
        passwords = {
            "postgres": self.secrets.postgres_password,
            "authenticator": self.secrets.authenticator_password,
        }
        with self.cluster.superuser("template1") as connection:
            for role, password in passwords.items():
                command = sql.SQL("alter role {} password {}").format(
                    sql.Identifier(role), sql.Literal(password)
                )
                connection.execute(command)
            connection.execute("alter database postgres owner to postgres")
            connection.execute(sql.SQL("create database {} owner postgres").format(sql.Identifier(BLANK)))
        for database in (BLANK, "postgres"):
            self._run_file("database.sql", database)
        self._add_cron()
        self._ready_file.write_text(platform_digest(self.cluster.postgres))

    def _migrate_postgres(self, rebuild: bool) -> None:
        try:
            self.migrate()
        except ForeignSteps:
            if not rebuild:
                raise
            self.drop_database("postgres")
            with self.cluster.superuser("template1") as connection:
                create = sql.SQL("create database postgres template {} owner postgres")
                connection.execute(create.format(sql.Identifier(BLANK)))
            self._add_cron()
            self.migrate()

    def _add_cron(self) -> None:
        if self.cluster.postgres.has_cron:
            self._run_file("cron.sql", "postgres")

    def _run_file(self, name: str, database: str) -> None:
        with psycopg.connect(self.superuser_url(database)) as connection:
            connection.execute((HERE / name).read_bytes())

    def _rest(self, database: str) -> RestApi:
        key = hashlib.sha256(database.encode()).hexdigest()[:8]
        return RestApi(
            folder=self.folder / f"rest-{database}",
            socket=self.cluster.home / f"rest-{key}",
            database_url=self.cluster.url("authenticator", database, self.secrets.authenticator_password),
            superuser_url=self.superuser_url(database),
            jwt_secret=self.secrets.jwt_secret,
            keys=[self.anon_key, self.service_key],
        )

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Nobody else starts, stops or makes anything in .local meanwhile."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = (LOCAL / "lock").open("w")
        except PermissionError as error:
            raise PlatformError(f"{error.filename} belongs to another user, who has to remove it.") from error
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _use(self) -> None:
        """Marks the stack as used by this process until it ends, whatever end it takes."""
        if self._in_use is None:
            self._in_use = (self.folder / "in_use").open("w")
            fcntl.flock(self._in_use, fcntl.LOCK_SH)

    def _leave(self) -> None:
        if self._in_use is not None:
            self._in_use.close()
            self._in_use = None


def project_variable(name: str) -> str | None:
    """A variable of the environment or of the file .env, where the client looks for its project as well."""
    return os.environ.get(name) or dotenv_values(ROOT / ".env").get(name) or None


def refuse_foreign_project(what: str) -> None:
    """Raises PlatformError if SUPABASE_URL or DATABASE_URL point to anything but a stack of this clone."""
    files = [*LOCAL.glob("*/rest-*/port"), *LOCAL.glob("*/postgres_port")]
    ports = {int(file.read_text()) for file in files}
    for variable in ("SUPABASE_URL", "DATABASE_URL"):
        address = project_variable(variable)
        if address is None:
            continue
        place = urlsplit(address)
        if place.hostname not in ("127.0.0.1", "localhost", "::1") or place.port not in ports:
            raise PlatformError(
                f"{variable} points to {place.hostname or 'another project'}, which is not the local stack: "
                f"{what} is refused. Unset {variable} to run it locally."
            )
