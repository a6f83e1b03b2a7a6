"""Who is asking: a reader's Supabase JWT, verified here and passed on to the database as it is.

Nothing is decided here but whether the token is real. What its reader may see is for row level security and
the verbs, which get the same claims (see `database/sessions.py`).

Each signing algorithm has keys of its own: HS256 the project's JWT secret, RS256 and ES256 the keys the
project publishes. A public key is never tried as a secret, and `none` is no algorithm.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import jwt
from jwt import PyJWK, PyJWKSet
from jwt.exceptions import PyJWKSetError

from book_enrichment.api.problems import RETRY_AFTER_SECONDS, Problem, unauthorized
from book_enrichment.database import NotConfigured
from book_enrichment.settings import Settings

logger = logging.getLogger(__name__)

PUBLISHED_ALGORITHMS = ("RS256", "ES256")
# Clocks differ.
LEEWAY_SECONDS = 10
# Supabase keeps its published keys in caches for ten minutes; a key that was revoked is forgotten after that.
KEYS_SECONDS = 600.0
# Tokens may name any key they like: however many come, the keys are not fetched more often than this.
FETCH_GAP_SECONDS = 10.0
FETCH_TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Reader:
    """Someone whose token was verified."""

    id: UUID
    token: str
    claims: Mapping[str, Any]


class PublishedKeys:
    """The public keys of the project, fetched when they are needed and kept for a while."""

    def __init__(self, client: httpx.AsyncClient, url: str) -> None:
        self._client = client
        self._url = url
        self._keys: dict[str, PyJWK] = {}
        self._fetched_at = self._tried_at = float("-inf")
        self._alone = asyncio.Lock()

    async def key(self, name: str) -> PyJWK | None:
        """The key of that name (`kid`); None when the project has none.

        Raises:
            Problem: 503, the keys cannot be fetched.
        """
        if name not in self._keys or self._are_old():
            async with self._alone:
                if name not in self._keys or self._are_old():
                    await self._refresh()
        if name not in self._keys and self._fetched_at < self._tried_at:
            raise Problem(
                503,
                "the keys that tokens are signed with cannot be fetched",
                "try again in a few seconds",
                headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
            )
        return self._keys.get(name)

    def _are_old(self) -> bool:
        return time.monotonic() - self._fetched_at > KEYS_SECONDS

    async def _refresh(self) -> None:
        if time.monotonic() - self._tried_at < FETCH_GAP_SECONDS:
            return
        self._tried_at = time.monotonic()
        try:
            reply = await self._client.get(self._url, timeout=FETCH_TIMEOUT_SECONDS)
            keys = PyJWKSet.from_dict(reply.raise_for_status().json()).keys
        except PyJWKSetError:
            keys = []  # a project that signs with its secret publishes none
        except (httpx.HTTPError, ValueError, TypeError, AttributeError) as error:  # nothing like keys at all
            logger.warning("keys: %s: %s", type(error).__name__, error, extra={"action": "fetch_keys"})
            return
        self._keys = {
            key.key_id: key for key in keys if key.key_id and key.algorithm_name in PUBLISHED_ALGORITHMS
        }
        self._fetched_at = self._tried_at


class Verifier:
    """Tells readers' tokens from all others."""

    def __init__(self, secret: str | None, keys: PublishedKeys | None, issuer: str | None) -> None:
        self._secret = secret
        self._keys = keys
        self._issuer = issuer

    async def reader(self, token: str) -> Reader:
        """The reader who holds this token.

        Raises:
            Problem: 401 for a token that is not good (any more), 403 for a good one that is not a reader's.
        """
        try:
            claims = await self._claims(token)
        except jwt.ExpiredSignatureError:
            raise unauthorized("the token has expired", "sign in again") from None
        except (jwt.PyJWTError, RecursionError):
            raise unauthorized("the token is not valid", "sign in again") from None
        if claims.get("role") != "authenticated":
            raise Problem(403, "the token is not a reader's", "send the access token of a signed-in reader")
        audience = claims.get("aud")
        if "authenticated" not in (audience if isinstance(audience, list) else [audience]):
            raise unauthorized("the token is for another audience", "sign in again")
        if self._issuer is not None and claims.get("iss") != self._issuer:
            raise unauthorized("the token was issued by someone else", "sign in to this project")
        try:
            return Reader(UUID(claims["sub"]), token, claims)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise unauthorized("the token names no reader", "sign in again") from None

    async def _claims(self, token: str) -> dict[str, Any]:
        """The claims of a token that is signed by us and in time; raises jwt.InvalidTokenError."""
        header = jwt.get_unverified_header(token)
        key: Any
        if header.get("alg") == "HS256" and self._secret is not None:
            algorithm, key = "HS256", self._secret
        elif header.get("alg") in PUBLISHED_ALGORITHMS and self._keys is not None and header.get("kid"):
            published = await self._keys.key(str(header["kid"]))
            if published is None:
                raise jwt.InvalidKeyError("no such key")
            algorithm, key = published.algorithm_name, published.key
        else:
            raise jwt.InvalidAlgorithmError("no keys for this algorithm")
        return jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            leeway=LEEWAY_SECONDS,
            # The audience is looked at after the role: a service key is refused as what it is.
            options={"require": ["exp"], "verify_aud": False, "verify_iss": False, "verify_sub": False},
        )


def refuse_unverifiable(settings: Settings) -> None:
    """Raises NotConfigured when these settings do not say how to verify a token, or would give a key away."""
    if settings.supabase_jwt_secret is None and settings.supabase_url is None:
        raise NotConfigured(
            "nothing to verify readers' tokens with", hint="set SUPABASE_URL, or SUPABASE_JWT_SECRET, or both"
        )
    if _is_secret(settings.supabase_anon_key or ""):
        raise NotConfigured(
            "SUPABASE_ANON_KEY holds a secret key",
            hint="it is shown to everybody: set the anon or publishable key",
        )


def _is_secret(key: str) -> bool:
    """Whether an API key is more than public."""
    try:
        role = jwt.decode(key, options={"verify_signature": False}).get("role")
    except jwt.InvalidTokenError:
        return key.startswith("sb_secret_")
    return role != "anon"


def verifier(settings: Settings, client: httpx.AsyncClient) -> Verifier:
    """For the tokens of the project that the settings name."""
    secret, url = settings.supabase_jwt_secret, settings.supabase_url
    auth = None if url is None else f"{url.rstrip('/')}/auth/v1"
    return Verifier(
        None if secret is None else secret.get_secret_value(),
        None if auth is None else PublishedKeys(client, f"{auth}/.well-known/jwks.json"),
        settings.supabase_jwt_issuer or auth,
    )
