"""The REST API of one database: PostgREST behind the gateway, as `supabase.create_client` expects them.

PostgREST listens on a unix socket beside the server's, the gateway on a port of 127.0.0.1. Both are
processes of ours with their pids, configuration and logs in one folder; their configuration holds secrets
and is for us alone.
"""

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from cluster import free_port, is_free, names_process, write_whole
from packages import PlatformError, postgrest, say

POSTGREST_CONFIG = """
db-uri = "{database_url}"
db-schemas = "public, graphql_public"
db-extra-search-path = "public, extensions"
db-anon-role = "anon"
db-max-rows = 1000
db-pool = 10
jwt-secret = "{jwt_secret}"
server-unix-socket = "{socket}"
log-level = "error"
"""


class RestApi:
    """PostgREST and gateway for one database. Making the object starts nothing."""

    def __init__(
        self,
        folder: Path,
        socket: Path,
        database_url: str,
        superuser_url: str,
        jwt_secret: str,
        keys: list[str],
    ) -> None:
        """`database_url` logs in as authenticator, `superuser_url` as what Auth and Realtime do themselves;
        `keys`: the anon and the service key."""
        self.folder = folder
        self._socket = socket
        self._config = POSTGREST_CONFIG.format(
            database_url=database_url, jwt_secret=jwt_secret, socket=socket
        )
        self._keys = keys
        self._superuser_url = superuser_url
        self._jwt_secret = jwt_secret
        self._port_file = folder / "port"

    @property
    def port(self) -> int:
        """The port of 127.0.0.1, kept from start to start while nobody else takes it."""
        return int(self._port_file.read_text()) if self._port_file.exists() else 0

    @property
    def files(self) -> Path:
        """Where the Storage stand-in keeps what is uploaded."""
        return self.folder / "files"

    @property
    def url(self) -> str:
        """What goes into SUPABASE_URL."""
        return f"http://127.0.0.1:{self.port}"

    def start(self, with_us: bool = False) -> None:
        """Starts both and returns once they answer. `with_us`: they end with this process."""
        if self.running():
            return
        self.stop()
        self.folder.mkdir(parents=True, exist_ok=True)
        remembered = self.port
        if not (remembered and is_free(remembered)):
            write_whole(self._port_file, str(free_port()))
            if remembered:
                say(f"Port {remembered} is taken by another program; the API uses {self.port} from now on.")
        gateway = {
            "port": self.port,
            "keys": self._keys,
            "postgrest_socket": str(self._socket),
            "files": str(self.files),
            "database_url": self._superuser_url,
            "jwt_secret": self._jwt_secret,
        }
        self._write_for_us_alone("postgrest.conf", self._config)
        self._write_for_us_alone("gateway.json", json.dumps(gateway))
        self._spawn("postgrest", [str(postgrest()), str(self.folder / "postgrest.conf")], with_us)
        script = str(Path(__file__).with_name("gateway.py"))
        self._spawn("gateway", [sys.executable, script, str(self.folder / "gateway.json")], with_us)
        self._wait_until_it_answers()

    def stop(self) -> bool:
        """Stops both; answers whether any of them ran."""
        pids = [pid for name in ("gateway", "postgrest") if (pid := self._pid(name))]
        for pid in pids:
            os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + 5
        for pid in pids:
            while names_process(pid, str(self.folder)) and not _reaped(pid):
                if time.monotonic() > deadline:
                    os.kill(pid, signal.SIGKILL)
                time.sleep(0.02)
        self._socket.unlink(missing_ok=True)
        return bool(pids)

    def remove(self) -> None:
        """Stops both and removes their folder."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def running(self) -> bool:
        """Whether both processes live."""
        return all(self._pid(name) for name in ("gateway", "postgrest"))

    def _pid(self, name: str) -> int | None:
        try:
            pid = int((self.folder / f"{name}.pid").read_text())
        except (FileNotFoundError, ValueError):
            return None
        return pid if names_process(pid, str(self.folder)) and not _reaped(pid) else None

    def _write_for_us_alone(self, name: str, content: str) -> None:
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(content)

    def _spawn(self, name: str, command: list[str], with_us: bool) -> None:
        with (self.folder / f"{name}.log").open("w") as log:
            process = subprocess.Popen(
                command,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_end_with_parent() if with_us else None,
            )
        (self.folder / f"{name}.pid").write_text(str(process.pid))

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + 30
        while True:
            try:
                headers = {"apikey": self._keys[0]}
                if httpx.get(f"{self.url}/rest/v1/", headers=headers, trust_env=False).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            if time.monotonic() > deadline or not self.running():
                logs = "".join(
                    (self.folder / f"{name}.log").read_text()[-1000:] for name in ("postgrest", "gateway")
                )
                raise PlatformError(f"The REST API does not open; see {self.folder}\n{logs}")
            time.sleep(0.05)


def _end_with_parent() -> Callable[[], object]:
    libc = ctypes.CDLL(None)
    return lambda: libc.prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def _reaped(pid: int) -> bool:
    """Whether `pid` was a child of ours that has ended by now."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return False
