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


def gateway(
    upstream: httpx.AsyncClient,
    keys: set[str],
    files: Starlette,
    sessions: Starlette,
    database_url: str,
    jwt_secret: str,
) -> Starlette:
    """The application. `upstream` talks to PostgREST, `keys` are the API keys it lets in, `files` and
    `sessions` are the stand-ins for Storage and Auth; Realtime's looks into the database itself."""

    async def rest(request: Request) -> Response:
        headers = [(name, value) for name, value in request.headers.items() if name not in HOP_BY_HOP]
        if request.method != "OPTIONS":  # browsers send preflights without keys
            key = request.headers.get("apikey") or request.query_params.get("apikey")
            if key is None:
                return JSONResponse(
                    {
                        "message": "No API key found in request",
                        "hint": "No `apikey` request header or url param was found.",
                    },
                    status_code=401,
                )
            if key not in keys:
                return JSONResponse(
                    {
                        "message": "Invalid API key",
                        "hint": "Double check your Supabase `anon` or `service_role` API key.",
                    },
                    status_code=401,
                )
            if "authorization" not in request.headers:
                headers.append(("authorization", f"Bearer {key}"))
        query = "&".join(part for part in request.url.query.split("&") if not part.startswith("apikey="))
        path = "/" + request.path_params["path"] + (f"?{query}" if query else "")
        try:
            reply = await upstream.request(
                request.method, path, headers=headers, content=await request.body()
            )
        except httpx.TransportError as error:
            return JSONResponse({"message": f"PostgREST does not answer: {error!r}"}, status_code=503)
        answer = Response(reply.content, reply.status_code)
        answer.raw_headers = [
            (name.lower(), value)
            for name, value in reply.headers.raw
            if name.lower().decode() not in HOP_BY_HOP
        ]
        if request.method != "HEAD" and reply.status_code not in (204, 304):
            answer.raw_headers.append((b"content-length", str(len(reply.content)).encode()))
        return answer

    async def elsewhere(request: Request) -> Response:
        return JSONResponse(
            {"message": f"{request.url.path}: only /rest, /storage, /auth and /realtime exist here"},
            status_code=404,
        )

    async def realtime(socket: WebSocket) -> None:
        if socket.query_params.get("apikey") not in keys or socket.query_params.get("vsn") != "2.0.0":
            await socket.close(1008)
            return
        await socket.accept()
        await Channels(socket, database_url, jwt_secret).run()

    return Starlette(
        routes=[
            Route("/rest/v1/{path:path}", rest, methods=METHODS),
            Mount("/storage/v1", files),
            Mount("/auth/v1", sessions),
            WebSocketRoute("/realtime/v1/websocket", realtime),
            Route("/{path:path}", elsewhere, methods=METHODS),
        ]
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
    app = gateway(upstream, set(config["keys"]), files, sessions, database_url, jwt_secret)
    # Browsers keep connections open; nobody waits for them at the end.
    ends = {"timeout_graceful_shutdown": 1}
    uvicorn.run(app, host="127.0.0.1", port=config["port"], log_level="warning", access_log=False, **ends)


if __name__ == "__main__":
    main()
