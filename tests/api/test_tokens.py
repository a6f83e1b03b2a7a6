"""Whose token is good: real keys, a real key server, every usual way to forge one."""

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import jwt
import pytest
import uvicorn
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from book_enrichment.api import auth, create_app
from book_enrichment.database import NotConfigured
from book_enrichment.settings import Settings


class KeyServer:
    """A project's Auth service, as far as it publishes keys."""

    def __init__(self) -> None:
        self.keys: list[dict[str, Any]] = []
        self.fetched = 0
        self.is_away = False
        self.instead: Any = None
        path = "/auth/v1/.well-known/jwks.json"
        config = uvicorn.Config(Starlette(routes=[Route(path, self._answer)]), port=0, log_level="warning")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)

    async def _answer(self, request: Any) -> Response:
        self.fetched += 1
        if self.is_away:
            return Response(status_code=502)
        return JSONResponse({"keys": self.keys} if self.instead is None else self.instead)

    @property
    def url(self) -> str:
        """What SUPABASE_URL would be."""
        return f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"

    def publish(self, name: str, key: Any, algorithm: str) -> None:
        """One more public key."""
        to_jwk = jwt.algorithms.get_default_algorithms()[algorithm].to_jwk
        jwk = json.loads(to_jwk(key.public_key()))
        self.keys.append(jwk | {"kid": name, "alg": algorithm, "use": "sig"})

    def stop(self) -> None:
        """For good."""
        self._server.should_exit = True
        self._thread.join(10)


@pytest.fixture
def key_server() -> Iterator[KeyServer]:
    """An Auth service without keys yet."""
    server = KeyServer()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def ec_key() -> Any:
    """A signing key for ES256."""
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture(scope="module")
def rsa_key() -> Any:
    """A signing key for RS256."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def claims(sign_in, key_server) -> dict[str, Any]:
    """What a good token says."""
    return {
        "sub": str(sign_in("ada").id),
        "role": "authenticated",
        "aud": "authenticated",
        "iss": f"{key_server.url}/auth/v1",
        "exp": int(time.time()) + 3600,
    }


@pytest.fixture
def settings(settings_for, key_server) -> Settings:
    """A project with a secret and with published keys; its database through the direct connection."""
    return settings_for("postgres", supabase_url=key_server.url)


@pytest.fixture
def ask(api) -> Callable[..., Any]:
    """`await ask(token)`: the answer to something only readers may ask."""

    async def ask(token: str | None) -> httpx.Response:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return await api.get("/queue", headers=headers)

    return ask


def unsigned(claims: dict[str, Any]) -> str:
    """A token with algorithm none."""
    return jwt.encode(claims, None, algorithm="none")


def pem(key: Any) -> bytes:
    """The public key as text, which everybody has."""
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def hmac_signed(claims: dict[str, Any], key: bytes, header: dict[str, Any]) -> str:
    """HS256 with any bytes as the secret, as an attacker would: PyJWT itself refuses to."""
    import hashlib
    import hmac

    def part(value: bytes) -> str:
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

    body = f"{part(json.dumps(header).encode())}.{part(json.dumps(claims).encode())}"
    return f"{body}.{part(hmac.digest(key, body.encode(), hashlib.sha256))}"


async def test_tokens_signed_with_the_secret_are_good(ask, claims, jwt_secret) -> None:
    """Older projects."""
    assert (await ask(jwt.encode(claims, jwt_secret))).status_code == 200


async def test_tokens_signed_with_a_published_key_are_good(ask, claims, key_server, ec_key, rsa_key) -> None:
    """Elliptic curves and RSA, each by the key its header names; fetched once for all."""
    key_server.publish("one", ec_key, "ES256")
    key_server.publish("two", rsa_key, "RS256")
    for name, key, algorithm in [("one", ec_key, "ES256"), ("two", rsa_key, "RS256")]:
        token = jwt.encode(claims, key, algorithm, headers={"kid": name})
        assert (await ask(token)).status_code == 200, algorithm
    assert key_server.fetched == 1


FORGERIES: dict[str, Callable[..., str | None]] = {
    "no token": lambda c, s, e, r: None,
    "no JWT": lambda c, s, e, r: "open.sesame.please",
    "a header without end": lambda c, s, e, r: f"{base64.urlsafe_b64encode(b'[' * 30000).decode()}.e30.e30",
    "expired": lambda c, s, e, r: jwt.encode(c | {"exp": int(time.time()) - 60}, s),
    "not yet valid": lambda c, s, e, r: jwt.encode(c | {"nbf": int(time.time()) + 600}, s),
    "without an end": lambda c, s, e, r: jwt.encode({k: v for k, v in c.items() if k != "exp"}, s),
    "another secret": lambda c, s, e, r: jwt.encode(c, "x" * 40),
    "no signature": lambda c, s, e, r: unsigned(c),
    "signature cut off": lambda c, s, e, r: jwt.encode(c, s).rpartition(".")[0] + ".",
    "claims changed": lambda c, s, e, r: jwt.encode(c, s).replace(".", ".e30", 1),
    "another audience": lambda c, s, e, r: jwt.encode(c | {"aud": "somewhere"}, s),
    "no audience": lambda c, s, e, r: jwt.encode({k: v for k, v in c.items() if k != "aud"}, s),
    "another issuer": lambda c, s, e, r: jwt.encode(c | {"iss": "https://evil.example/auth/v1"}, s),
    "no subject": lambda c, s, e, r: jwt.encode({k: v for k, v in c.items() if k != "sub"}, s),
    "a subject that is no id": lambda c, s, e, r: jwt.encode(c | {"sub": "ada"}, s),
    "HS512 with the secret": lambda c, s, e, r: jwt.encode(c, s, "HS512"),
    "the EC key as a secret": lambda c, s, e, r: hmac_signed(c, pem(e), {"alg": "HS256", "kid": "one"}),
    "the RSA key as a secret": lambda c, s, e, r: hmac_signed(c, pem(r), {"alg": "HS256", "kid": "two"}),
    "an unknown key": lambda c, s, e, r: jwt.encode(c, e, "ES256", headers={"kid": "three"}),
    "no key named": lambda c, s, e, r: jwt.encode(c, e, "ES256"),
    "a key of another kind": lambda c, s, e, r: jwt.encode(c, r, "RS256", headers={"kid": "one"}),
    "somebody's key": lambda c, s, e, r: jwt.encode(
        c, ec.generate_private_key(ec.SECP256R1()), "ES256", headers={"kid": "one"}
    ),
}


@pytest.mark.filterwarnings("ignore:The HMAC key is")
@pytest.mark.parametrize("forgery", FORGERIES)
async def test_forged_tokens_are_401(forgery, ask, claims, jwt_secret, key_server, ec_key, rsa_key) -> None:
    """With a challenge, a reason and a hint."""
    key_server.publish("one", ec_key, "ES256")
    key_server.publish("two", rsa_key, "RS256")
    answer = await ask(FORGERIES[forgery](claims, jwt_secret, ec_key, rsa_key))
    assert answer.status_code == 401, answer.text
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json()["hint"]


async def test_api_keys_are_no_readers(ask, anon_key, service_key) -> None:
    """Both are good tokens of this project; neither has a library."""
    for key in (anon_key, service_key):
        answer = await ask(key)
        assert answer.status_code == 403
        assert answer.json()["detail"] == "the token is not a reader's"


async def test_other_schemes_are_no_token(api, claims, jwt_secret) -> None:
    """Basic, or a token without its scheme."""
    token = jwt.encode(claims, jwt_secret)
    for value in (f"Basic {token}", token, "Bearer"):
        assert (await api.get("/queue", headers={"Authorization": value})).status_code == 401


async def test_a_new_key_is_met_and_an_old_one_forgotten(
    ask, claims, key_server, ec_key, monkeypatch
) -> None:
    """Rotation: the token names a key we do not know, so the keys are fetched again."""
    monkeypatch.setattr(auth, "FETCH_GAP_SECONDS", 0.0)
    key_server.publish("old", ec_key, "ES256")
    old = jwt.encode(claims, ec_key, "ES256", headers={"kid": "old"})
    assert (await ask(old)).status_code == 200
    new_key = ec.generate_private_key(ec.SECP256R1())
    key_server.keys.clear()
    key_server.publish("new", new_key, "ES256")
    assert (await ask(jwt.encode(claims, new_key, "ES256", headers={"kid": "new"}))).status_code == 200
    assert (await ask(old)).status_code == 401


async def test_bad_tokens_do_not_fetch_the_keys_each_time(ask, claims, key_server, ec_key) -> None:
    """Whoever invents key names makes us ask once, not a hundred times."""
    key_server.publish("one", ec_key, "ES256")
    for number in range(20):
        token = jwt.encode(claims, ec_key, "ES256", headers={"kid": f"invented {number}"})
        assert (await ask(token)).status_code == 401
    assert key_server.fetched == 1


async def test_keys_that_cannot_be_fetched_are_not_the_readers_fault(
    ask, claims, key_server, ec_key, monkeypatch
) -> None:
    """503 until they can; known keys stay good meanwhile."""
    key_server.publish("one", ec_key, "ES256")
    token = jwt.encode(claims, ec_key, "ES256", headers={"kid": "one"})
    key_server.is_away = True
    answer = await ask(token)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    monkeypatch.setattr(auth, "FETCH_GAP_SECONDS", 0.0)
    key_server.is_away = False
    assert (await ask(token)).status_code == 200
    key_server.is_away = True
    monkeypatch.setattr(auth, "KEYS_SECONDS", 0.0)
    assert (await ask(token)).status_code == 200


@pytest.mark.parametrize(
    "reply",
    [[], "later", {"keys": 1}, {"keys": [1]}, {"keys": [{"kty": "EC", "crv": "P-256", "x": 1, "y": 2}]}],
    ids=["a list", "a word", "a number of keys", "numbers for keys", "numbers in a key"],
)
async def test_a_reply_that_holds_no_keys_is_no_fault(ask, claims, key_server, ec_key, reply) -> None:
    """Whatever a proxy in front of Auth says for it."""
    key_server.instead = reply
    answer = await ask(jwt.encode(claims, ec_key, "ES256", headers={"kid": "one"}))
    assert answer.status_code in (401, 503), answer.text


def test_settings_that_let_nobody_in_are_refused_at_once() -> None:
    """Not at the first request; nor is the service key taken for a public one."""
    nothing = Settings(_env_file=None)
    without_key = Settings(_env_file=None, supabase_url="https://x.supabase.co")
    without_secret = Settings(_env_file=None, database_url="postgresql://x")
    for settings in (nothing, without_key, without_secret):
        with pytest.raises(NotConfigured) as refusal:
            create_app(settings)
        assert refusal.value.hint


def test_the_service_key_is_not_shown_as_the_public_one(service_key) -> None:
    """/config shows SUPABASE_ANON_KEY to everybody."""
    for key in (service_key, "sb_secret_abc"):
        with pytest.raises(NotConfigured, match="SUPABASE_ANON_KEY"):
            create_app(Settings(_env_file=None, supabase_url="https://x.supabase.co", supabase_anon_key=key))
