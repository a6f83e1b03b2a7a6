"""`make serve`: the page, to be tried. A local Supabase, the app with its worker, a reader with twenty books.

The reader has imported demo.csv, so that there is something to see at once; the worker asks the stand-in of
tests/stand_ins, or with --live the real one. Details wait for review, as the settings say by default. The
link that is printed signs the reader in. Everything stays for the next time, until --fresh.

    serve.py [--port N] [--live] [--fresh]
"""

import argparse
import asyncio
import fcntl
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlencode
from uuid import UUID, uuid4

import httpx
import psycopg
import uvicorn

from book_enrichment.api import create_app
from book_enrichment.migrate import ForeignSteps
from book_enrichment.settings import Settings
from demo import CSV, asked_library
from open_library import Server
from packages import LOCAL, PlatformError, say
from stack import Stack, refuse_foreign_project

EMAIL, PASSWORD = "reader@example.org", "only-for-trying"
PORT = 8000


@dataclass(frozen=True)
class Page:
    """The app, running."""

    address: str
    settings: Settings

    @property
    def api(self) -> str:
        return f"{self.address}/api/v1/enrichment"

    async def sign_in(self, email: str = EMAIL, password: str = PASSWORD) -> dict[str, str]:
        """A session, as Supabase Auth issues it."""
        async with httpx.AsyncClient(trust_env=False) as client:
            reply = await client.post(
                f"{self.settings.supabase_url}/auth/v1/token?grant_type=password",
                headers={"apikey": self.settings.supabase_anon_key or ""},
                json={"email": email, "password": password},
            )
        reply.raise_for_status()
        return {name: str(reply.json()[name]) for name in ("access_token", "refresh_token", "expires_in")}

    def link(self, session: dict[str, str]) -> str:
        """What opens the page signed in, as a link in an e-mail of Supabase would."""
        return f"{self.address}/enrichment#{urlencode({**session, 'token_type': 'bearer'})}"


@asynccontextmanager
async def running_app(settings: Settings, port: int = 0, worker: bool = True) -> AsyncIterator[Page]:
    """The app on 127.0.0.1 for as long as the block runs; port 0 takes a free one."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        # Browsers keep their connections open; at the end nobody waits for them.
        config = uvicorn.Config(
            create_app(settings, worker), log_level="warning", timeout_graceful_shutdown=1, lifespan="on"
        )
        server = Server(config)
        running = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:
            if running.done():
                raise PlatformError("the app did not start")
            await asyncio.sleep(0.02)
        try:
            yield Page(f"http://127.0.0.1:{listener.getsockname()[1]}", settings)
        finally:
            server.should_exit = True
            await running


def settings_for(environment: dict[str, str], library_url: str, **changes: object) -> Settings:
    """The app's settings, whatever the environment of this process says."""
    values: dict[str, object] = {
        "supabase_url": environment["SUPABASE_URL"],
        "supabase_anon_key": environment["SUPABASE_ANON_KEY"],
        "supabase_service_role_key": environment["SUPABASE_SERVICE_ROLE_KEY"],
        "supabase_jwt_secret": environment["SUPABASE_JWT_SECRET"],
        "database_url": environment["DATABASE_URL"],
        "auto_enabled": True,
        "auto_apply_covers": True,
        "auto_apply_metadata": False,
        "provider_delay_ms": 0,
        "contact": os.environ.get("ENRICHMENT_CONTACT") or "demo@example.org",
        "open_library_url": library_url,
    }
    return Settings(_env_file=None, **(values | changes))  # type: ignore[arg-type]


def create_reader(database_url: str, email: str = EMAIL, password: str = PASSWORD) -> UUID:
    """Somebody who can sign in; the same one when known already. `database_url` is a superuser's."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        known = connection.execute("select id from auth.users where email = %s", [email]).fetchone()
        if known:
            return UUID(str(known[0]))
        reader = uuid4()
        insert = """
            insert into auth.users (id, email, encrypted_password)
            values (%s, %s, extensions.crypt(%s, extensions.gen_salt('bf')))
        """
        connection.execute(insert, [reader, email, password])
        handle = email.split("@")[0]
        connection.execute("insert into public.users (id, handle) values (%s, %s)", [reader, handle])
        return reader


async def import_demo(page: Page, token: str) -> None:
    """Sends demo.csv, unless the reader has books already."""
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(trust_env=False, headers=headers, timeout=30) as client:
        if (await client.get(f"{page.api}/summary")).raise_for_status().json()["books"]:
            return
        files = {"file": (CSV.name, CSV.read_bytes(), "text/csv")}
        (await client.post(f"{page.api}/import", files=files)).raise_for_status()


async def serve(stack: Stack, port: int, live: bool) -> None:
    """Until Ctrl-C."""
    create_reader(stack.superuser_url())
    async with asked_library(live) as library:
        # The stand-in's cover addresses mean nothing to a browser, so its covers are stored.
        covers = {} if live else {"cover_mode": "thumbnail", "covers_url": library}
        settings = settings_for(stack.environment(), library, **covers)
        async with running_app(settings, port) as page:
            session = await page.sign_in()
            await import_demo(page, session["access_token"])
            say(f"A reader with twenty books ({EMAIL}, password {PASSWORD}). Ctrl-C ends. Open")
            print(page.link(session), flush=True)
            await asyncio.Event().wait()


def main() -> None:
    """Ends with Ctrl-C."""
    parser = argparse.ArgumentParser(description="The page with a demo reader, to be tried.")
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("--live", action="store_true", help="ask the real Open Library")
    parser.add_argument("--fresh", action="store_true", help="forget what was done last time")
    options = parser.parse_args()
    if options.live and not os.environ.get("ENRICHMENT_CONTACT"):
        sys.exit("Open Library wants to know who asks: set ENRICHMENT_CONTACT to your e-mail address.")
    stack = Stack("serve", durable=False)
    LOCAL.mkdir(exist_ok=True)
    lock = (LOCAL / "serve.running").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit("The page is being served in this clone already; end that with Ctrl-C.")
    try:
        refuse_foreign_project("this page")
        say("A local Supabase and the page …")
        try:
            stack.reset() if options.fresh else stack.up()
        except ForeignSteps:
            stack.reset()
        asyncio.run(serve(stack, options.port, options.live))
    except PlatformError as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit(
            f"Cannot listen on 127.0.0.1:{options.port}: {error.strerror}. Take another: make serve PORT=8001"
        )
    except KeyboardInterrupt:
        say("Ended. `make serve` goes on where you were.")
    finally:
        stack.down()


if __name__ == "__main__":
    main()
