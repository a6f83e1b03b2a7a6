"""The gateway of a hosted project, small: asks for the `apikey` header and passes /rest/v1 on to PostgREST.

At /storage/v1, /auth/v1 and /realtime/v1 answer the stand-ins of storage.py, auth_sessions.py and
realtime_channels.py. rest.py starts the gateway as a process of its own: `python gateway.py gateway.json`,
which holds the port, the two keys, PostgREST's unix socket, the folder for files, the database and the
secret of the tokens.
"""

import json
import sys
from pathlib import Path

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket

from auth_sessions import auth
from realtime_channels import Channels
from storage import storage

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
# These belong to one connection, so they are not passed on (RFC 9110 §7.6.1); lengths are set anew.
HOP_BY_HOP = {
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "host",
    "content-length",
}


NO_KEY = {
    "message": "No API key found in request",
    "hint": "No `apikey` request header or url param was found.",
}
WRONG_KEY = {
    "message": "Invalid API key",
    "hint": "Double check your Supabase `anon` or `service_role` API key.",
}


class Gateway:
    """What is behind which address. `upstream` talks to PostgREST, `keys` are the API keys it lets in."""

    def __init__(
        self, upstream: httpx.AsyncClient, keys: set[str], database_url: str, jwt_secret: str
    ) -> None:
        self._upstream = upstream
        self._keys = keys
        self._database_url = database_url
        self._jwt_secret = jwt_secret

    def app(self, files: Starlette, sessions: Starlette) -> Starlette:
        """The application; `files` and `sessions` are the stand-ins for Storage and Auth."""
        return Starlette(
            routes=[
                Route("/rest/v1/{path:path}", self.rest, methods=METHODS),
                Mount("/storage/v1", files),
                Mount("/auth/v1", sessions),
                WebSocketRoute("/realtime/v1/websocket", self.realtime),
                Route("/{path:path}", elsewhere, methods=METHODS),
            ]
        )

    async def rest(self, request: Request) -> Response:
        """Passes a request with a key on, as that key's role unless it names another."""
        headers = [(name, value) for name, value in request.headers.items() if name not in HOP_BY_HOP]
        if request.method != "OPTIONS":  # browsers send preflights without keys
            key = request.headers.get("apikey") or request.query_params.get("apikey")
            if key not in self._keys:
                return JSONResponse(NO_KEY if key is None else WRONG_KEY, status_code=401)
            if "authorization" not in request.headers:
                headers.append(("authorization", f"Bearer {key}"))
        query = "&".join(part for part in request.url.query.split("&") if not part.startswith("apikey="))
        path = "/" + request.path_params["path"] + (f"?{query}" if query else "")
        try:
            reply = await self._upstream.request(
                request.method, path, headers=headers, content=await request.body()
            )
        except httpx.TransportError as error:
            return JSONResponse({"message": f"PostgREST does not answer: {error!r}"}, status_code=503)
        return passed_back(reply, request.method)

    async def realtime(self, socket: WebSocket) -> None:
        """Realtime's stand-in looks into the database itself."""
        if socket.query_params.get("apikey") not in self._keys or socket.query_params.get("vsn") != "2.0.0":
            await socket.close(1008)
            return
        await socket.accept()
        await Channels(socket, self._database_url, self._jwt_secret).run()


def passed_back(reply: httpx.Response, method: str) -> Response:
    """PostgREST's answer, without what belonged to the connection it came by."""
    answer = Response(reply.content, reply.status_code)
    answer.raw_headers = [
        (name.lower(), value) for name, value in reply.headers.raw if name.lower().decode() not in HOP_BY_HOP
    ]
    if method != "HEAD" and reply.status_code not in (204, 304):
        answer.raw_headers.append((b"content-length", str(len(reply.content)).encode()))
    return answer


async def elsewhere(request: Request) -> Response:
    """Says what there is."""
    return JSONResponse(
        {"message": f"{request.url.path}: only /rest, /storage, /auth and /realtime exist here"},
        status_code=404,
    )


def main() -> None:
    """Serves until told to stop."""
    config = json.loads(Path(sys.argv[1]).read_text())
    upstream = httpx.AsyncClient(
        transport=httpx.AsyncHTTPTransport(
            uds=config["postgrest_socket"], limits=httpx.Limits(max_connections=None)
        ),
        base_url="http://postgrest",
        timeout=60,
        trust_env=False,
    )
    files = storage(Path(config["files"]), config["keys"][-1], ["covers"])
    database_url, jwt_secret = config["database_url"], config["jwt_secret"]
    sessions = auth(database_url, jwt_secret, f"http://127.0.0.1:{config['port']}", set(config["keys"]))
    app = Gateway(upstream, set(config["keys"]), database_url, jwt_secret).app(files, sessions)
    # Browsers keep connections open; nobody waits for them at the end.
    ends = {"timeout_graceful_shutdown": 1}
    uvicorn.run(app, host="127.0.0.1", port=config["port"], log_level="warning", access_log=False, **ends)


if __name__ == "__main__":
    main()
