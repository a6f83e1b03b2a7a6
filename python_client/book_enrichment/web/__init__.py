"""The page for readers: static files, served at /enrichment by the app that has the API.

No build step: what lies in `static` is what the browser gets, the libraries in `static/vendor` included (each
with its licence; `vendor/versions.json` says which release and with which checksums). Beside the files this
module decides what the browser may do with them: a policy that allows scripts, styles and fonts from here,
requests to here and to the Supabase project, and pictures from where covers are.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from book_enrichment.settings import Settings

FILES = Path(__file__).with_name("static")
PAGE = "/enrichment"

# Where covers come from. Open Library redirects its larger ones to the hosts of archive.org; Google's are
# only ever shown from where they are.
COVER_HOSTS = (
    "covers.openlibrary.org",
    "archive.org",
    "*.us.archive.org",
    "books.google.com",
    "books.googleusercontent.com",
)


def mount_page(app: Starlette, settings: Settings, cover_hosts: Sequence[str] = COVER_HOSTS) -> None:
    """Serve the page at /enrichment.

    Args:
        app: has the API at /api/v1/enrichment, which the page calls.
        settings: its Supabase address is where readers sign in; nothing else of them reaches the page.
        cover_hosts: where pictures may come from, over https; `*.name` stands for every host below name.
            Covers from elsewhere are shown as plain ones. A host app with covers of its own adds theirs.
    """
    headers = security_headers(settings.supabase_url, cover_hosts)
    text = (FILES / "index.html").read_text(encoding="utf-8")
    text = text.replace("{cover_hosts}", escape(" ".join(cover_hosts)))

    async def page(_: Request) -> Response:
        return HTMLResponse(text, headers=headers)

    async def page_without_slash(request: Request) -> Response:
        # The page names its files relatively, so that it works below any prefix; that needs this one address.
        return RedirectResponse(request.url.path.rstrip("/"), status_code=308)

    app.add_route(PAGE, page, methods=["GET"], include_in_schema=False)
    app.add_route(f"{PAGE}/", page_without_slash, methods=["GET"], include_in_schema=False)
    app.mount(PAGE, PageFiles(headers), name="enrichment-page")


def security_headers(supabase_url: str | None, cover_hosts: Sequence[str] = COVER_HOSTS) -> dict[str, str]:
    """What every answer of the page carries."""
    project = origin(supabase_url)
    sockets = project.replace("http", "ws", 1)  # Realtime
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "font-src": "'self'",
        "img-src": " ".join(["'self'", project, *(f"https://{host}" for host in cover_hosts)]),
        "connect-src": f"'self' {project} {sockets}",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return {
        "Content-Security-Policy": "; ".join(
            f"{name} {' '.join(value.split())}" for name, value in policy.items()
        ),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        # Asked about each time, so that a new release is never mixed with an old one; a 304 costs nothing.
        "Cache-Control": "no-cache",
    }


def origin(url: str | None) -> str:
    """`https://ref.supabase.co` of an address; empty where there is none."""
    parts = urlsplit(url or "")
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""


class PageFiles(StaticFiles):
    """The files beside the page, under the same policy."""

    def __init__(self, headers: dict[str, str]) -> None:
        super().__init__(directory=FILES)
        self._headers = headers

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(self._headers)
        return response

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """Fonts by their own type: not every system knows woff2."""
        response = super().file_response(*args, **kwargs)
        if str(args[0]).endswith(".woff2"):
            response.headers["Content-Type"] = "font/woff2"
        return response
