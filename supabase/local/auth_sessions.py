"""Supabase Auth, stand-in: what a page needs to sign a reader in, stay signed in and sign out.

The gateway mounts it at /auth/v1. It issues the tokens Supabase Auth would: signed with the project's secret,
good for an hour, with a refresh token that works once. Passwords are those of auth.users, hashed by bcrypt as
there. There are no sign-ups, no e-mails, no providers, and sessions end when the gateway does.
"""

import secrets
import time
from typing import Any
from uuid import UUID, uuid4

import jwt
import psycopg
from psycopg.rows import dict_row
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

TOKEN_SECONDS = 3600

USER_BY_PASSWORD = """
select u.id, u.email, u.created_at
from auth.users as u
where u.email = %s and u.encrypted_password = extensions.crypt(%s, u.encrypted_password)
"""
USER_BY_ID = "select u.id, u.email, u.created_at from auth.users as u where u.id = %s"


def auth(database_url: str, jwt_secret: str, address: str, keys: set[str]) -> Starlette:
    """The application. `database_url` may read auth.users; `address` is where the gateway answers; `keys` are
    the API keys it lets in."""
    sessions = Sessions(database_url, jwt_secret, f"{address}/auth/v1", keys)
    anywhere = Middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["*"], allow_headers=["*"])
    return Starlette(
        routes=[
            Route("/token", sessions.token, methods=["POST"]),
            Route("/logout", sessions.logout, methods=["POST"]),
            Route("/.well-known/jwks.json", published_keys),
        ],
        middleware=[anywhere],
    )


class Sessions:
    """Who is signed in: begun by a password, kept by refresh tokens, ended by signing out."""

    def __init__(self, database_url: str, jwt_secret: str, issuer: str, keys: set[str]) -> None:
        self._database_url = database_url
        self._jwt_secret = jwt_secret
        self._issuer = issuer
        self._keys = keys
        self._refresh_tokens: dict[str, UUID] = {}

    async def token(self, request: Request) -> Response:
        """A session for a password, or for the refresh token of the one before."""
        if request.headers.get("apikey") not in self._keys:
            return JSONResponse({"message": "No API key found in request"}, status_code=401)
        asked = await request.json()
        match request.query_params.get("grant_type"):
            case "password":
                found = await self._user(USER_BY_PASSWORD, asked.get("email"), asked.get("password"))
                wrong = refusal("invalid_credentials", "Invalid login credentials")
            case "refresh_token":
                reader = self._refresh_tokens.pop(str(asked.get("refresh_token")), None)
                found = await self._user(USER_BY_ID, reader) if reader else None
                words = "Invalid Refresh Token: Refresh Token Not Found"
                wrong = refusal("refresh_token_not_found", words)
            case _:
                return refusal("validation_failed", "unsupported_grant_type")
        return JSONResponse(self._session(found)) if found else wrong

    async def logout(self, request: Request) -> Response:
        """No refresh token of this reader is good any longer."""
        try:
            claims = jwt.decode(
                request.headers.get("authorization", "").removeprefix("Bearer "),
                self._jwt_secret,
                algorithms=["HS256"],
                audience="authenticated",
            )
        except jwt.InvalidTokenError:
            return refusal("bad_jwt", "invalid JWT", 403)
        for name in [each for each, reader in self._refresh_tokens.items() if str(reader) == claims["sub"]]:
            del self._refresh_tokens[name]
        return Response(status_code=204)

    async def _user(self, query: str, *values: Any) -> dict[str, Any] | None:
        connect = psycopg.AsyncConnection.connect(self._database_url, row_factory=dict_row)
        async with await connect as connection:
            return await (await connection.execute(query, values)).fetchone()

    def _session(self, found: dict[str, Any]) -> dict[str, Any]:
        now = int(time.time())
        user = {
            "id": str(found["id"]),
            "aud": "authenticated",
            "role": "authenticated",
            "email": found["email"],
        }
        claims = {
            "iss": self._issuer,
            "sub": user["id"],
            "aud": user["aud"],
            "role": user["role"],
            "email": user["email"],
            "iat": now,
            "exp": now + TOKEN_SECONDS,
            "session_id": str(uuid4()),
        }
        refresh_token = secrets.token_urlsafe(9)
        self._refresh_tokens[refresh_token] = found["id"]
        return {
            "access_token": jwt.encode(claims, self._jwt_secret, algorithm="HS256"),
            "token_type": "bearer",
            "expires_in": TOKEN_SECONDS,
            "expires_at": claims["exp"],
            "refresh_token": refresh_token,
            "user": user | {"created_at": found["created_at"].isoformat()},
        }


async def published_keys(_: Request) -> Response:
    """A project that signs with its secret publishes none."""
    return JSONResponse({"keys": []})


def refusal(code: str, message: str, status: int = 400) -> Response:
    """As Supabase Auth words it."""
    return JSONResponse({"code": status, "error_code": code, "msg": message}, status_code=status)
