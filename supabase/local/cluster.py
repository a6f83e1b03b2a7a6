"""One private Postgres server: where its files lie, how it starts and how it stops.

It listens on 127.0.0.1 (with passwords) and on a unix socket in a folder nobody else can enter (without).
An ordinary user's server runs as that user, with its files under .local; root's runs as user postgres,
with its files under /var/tmp, because root's home may be closed to other users. What goes into the
databases is in stack.py.
"""

import os
import pwd
import random
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import psycopg

from packages import PlatformError, readable_place, say
from postgres import DEBIAN, Postgres

SUPERUSER = "supabase_admin"
LONGEST_SOCKET_FOLDER = 80  # a socket's path ends at 107 bytes, and its name takes 17


class Cluster:
    """A server whose files belong to the folder of one stack. Making the object touches nothing."""

    def __init__(self, folder: Path, durable: bool = True, postgres: Postgres = DEBIAN) -> None:
        """`durable=False` spares the disk, for tests: what they hold may be lost with the machine's power."""
        self.folder = folder
        self.durable = durable
        self.postgres = postgres
        self.home = _server_home(folder)
        self.data = self.home / "data"
        self.log = self.home / "postgres.log"
        self._port_file = folder / "postgres_port"

    @property
    def port(self) -> int:
        """The port of 127.0.0.1, chosen at the first start and kept while nobody else takes it."""
        return int(self._port_file.read_text()) if self._port_file.exists() else 0

    @property
    def exists(self) -> bool:
        """Whether there is a data directory, of whatever quality."""
        return self.data.exists()

    def url(self, user: str, database: str, password: str) -> str:
        """The address of a database over TCP."""
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def superuser_url(self, database: str = "postgres") -> str:
        """The address of a database for the superuser, through the socket, without a password."""
        return f"postgresql://{SUPERUSER}@/{database}?host={self.home}&port={self.port}"

    def superuser(self, database: str = "postgres") -> psycopg.Connection[Any]:
        """A connection of the superuser, in autocommit."""
        return psycopg.connect(self.superuser_url(database), autocommit=True)

    def create(self) -> None:
        """Makes a new, empty cluster. What an earlier clone at this place may have left is removed."""
        self.wipe()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.home.mkdir(mode=0o700)
        link = self.folder / "server"
        if self.home != link:
            link.unlink(missing_ok=True)
            link.symlink_to(self.home)
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(self.home, owner.pw_uid, owner.pw_gid)
        access = ["--auth-local=trust", "--auth-host=scram-sha-256"]
        locale = ["--encoding=UTF8", "--locale=C.UTF-8"]
        self._program("initdb", "-D", str(self.data), "-U", SUPERUSER, *access, *locale, "--no-sync")
        with (self.data / "postgresql.conf").open("a") as file:
            file.write(self._settings())

    def start(self) -> None:
        """Starts the server and returns once it answers. Does nothing when it runs already."""
        if self.pid() is None:
            self._choose_port()
            pid_file = self.data / "postmaster.pid"
            if pid_file.exists():
                say(f"Removed a stale pid file: stack {self.folder.name} was not stopped properly.")
                pid_file.unlink()
            self._pg_ctl("start", "-l", str(self.log), "-o", f"-p {self.port}")
        else:
            self._remember_port((self.data / "postmaster.pid").read_text().split()[3])
        self._wait_until_it_answers()

    def stop(self, mode: str = "fast") -> bool:
        """Stops the server; `immediate` is the crash. Answers whether it ran at all."""
        if self.pid() is None:
            return False
        self._pg_ctl("stop", "-m", mode)
        return True

    def wipe(self) -> None:
        """Removes the server with all it holds."""
        if self.exists:
            self.stop("immediate")
        if self.home.exists():
            owner = self.home.stat().st_uid
            if os.geteuid() not in (0, owner):
                raise PlatformError(
                    f"{self.home} belongs to {pwd.getpwuid(owner).pw_name}, who has to remove it."
                )
            shutil.rmtree(self.home)

    def pid(self) -> int | None:
        """The process id of the running server, or None, also when the pid file names another process."""
        try:
            number = int((self.data / "postmaster.pid").read_text().split()[0])
        except (FileNotFoundError, IndexError, ValueError):
            return None
        if names_process(number, str(self.data)):
            return number
        return None

    def _choose_port(self) -> None:
        remembered = self.port
        if remembered and is_free(remembered):
            return
        port = free_port()
        if remembered:
            say(f"Port {remembered} is taken by another program; Postgres uses {port} from now on.")
        self._remember_port(str(port))

    def _remember_port(self, port: str) -> None:
        if port != str(self.port):
            write_whole(self._port_file, port)

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                self.superuser("template1").close()
                return
            except psycopg.OperationalError as error:
                if time.monotonic() > deadline:
                    raise PlatformError(f"Postgres does not answer; see {self.log}\n{error}") from error
                time.sleep(0.1)

    def _settings(self) -> str:
        lines = [
            "listen_addresses = '127.0.0.1'",
            f"unix_socket_directories = '{self.home}'",
            "timezone = 'UTC'",
            "log_timezone = 'UTC'",
            "wal_level = logical",
        ]
        if self.postgres.has_cron:
            lines += [
                "shared_preload_libraries = 'pg_cron'",
                "cron.database_name = 'postgres'",
                f"cron.host = '{self.home}'  # jobs run over the socket, where no password is asked",
            ]
        if not self.durable:
            lines += ["fsync = off", "full_page_writes = off"]
        return "\n" + "\n".join(lines) + "\n"

    def _pg_ctl(self, action: str, *options: str) -> None:
        self._program("pg_ctl", action, "-w", "-t", "60", "-D", str(self.data), *options)

    def _program(self, name: str, *arguments: str) -> None:
        """Runs one of Postgres' programs as the user the server belongs to."""
        environment = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
        identity: dict[str, Any] = {}
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            identity = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
        # The server inherits what pg_ctl has open, so nothing may be a pipe of ours.
        with (self.folder / f"{name}.log").open("w+") as output:
            done = subprocess.run(
                [str(self.postgres.bin / name), *arguments],
                cwd="/",
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                **identity,
            )
            if done.returncode != 0:
                output.seek(0)
                last = self.log.read_text().strip()[-1000:] if name == "pg_ctl" and self.log.exists() else ""
                raise PlatformError(f"{name} failed: {output.read().strip()[-1000:]}\n{last}")


def write_whole(file: Path, text: str) -> None:
    """Writes a file that others may be reading: they get what was there before or all of what is new."""
    new = file.with_name(f"{file.name}.{os.getpid()}")
    new.write_text(text)
    new.replace(file)


def names_process(pid: int, word: str) -> bool:
    """Whether process `pid` lives and has `word` on its command line: pid files outlive what they name."""
    try:
        return word in Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    except OSError:
        return False


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A free port below the range from which the kernel takes its own; another one than whoever seeded
    `random` alike and asks at the same moment gets."""
    while True:
        port = random.SystemRandom().randrange(20_000, 30_000)
        if is_free(port):
            return port


def _server_home(folder: Path) -> Path:
    if os.geteuid() != 0 and len(str(folder)) < LONGEST_SOCKET_FOLDER - len("/server"):
        return folder / "server"
    return readable_place(folder)
