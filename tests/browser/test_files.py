"""The files of the page, without a browser: what is vendored, what is imported, what the policy says."""

import hashlib
import json
import re

import pytest

from book_enrichment.web import FILES, security_headers

VENDOR = FILES / "vendor"
SCRIPTS = sorted(file for file in FILES.rglob("*.js") if VENDOR not in file.parents)


def test_without_a_project_the_page_talks_to_its_own_server_only() -> None:
    """And a trailing slash in the setting changes nothing."""
    assert "connect-src 'self';" in security_headers(None)["Content-Security-Policy"]
    policy = security_headers("https://ref.supabase.co/")["Content-Security-Policy"]
    assert "connect-src 'self' https://ref.supabase.co wss://ref.supabase.co;" in policy


def test_vendored_files_are_the_published_ones() -> None:
    """Release and checksums are on record, licences lie beside the files, and nothing else is there."""
    versions = json.loads((VENDOR / "versions.json").read_text())
    assert {folder.name for folder in VENDOR.iterdir() if folder.is_dir()} == set(versions)
    for name, about in versions.items():
        files = [file for file in (VENDOR / name).rglob("*") if file.is_file()]
        checksums = {
            str(file.relative_to(VENDOR / name)): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in files
        }
        assert checksums == about["sha256"]
        assert re.fullmatch(r"\d+\.\d+\.\d+", about["version"])
        assert (VENDOR / name / "LICENSE").stat().st_size > 500


@pytest.mark.parametrize("file", sorted(FILES.rglob("*.js")), ids=lambda file: str(file.relative_to(FILES)))
def test_scripts_import_only_what_is_there(file) -> None:
    """By relative addresses: there is no build step that could find anything else."""
    for address in re.findall(
        r"""(?:from|import)\s*["']([^"'\s]+\.js)["']""", file.read_text(encoding="utf-8")
    ):
        assert address.startswith("."), address
        assert (file.parent / address).resolve().exists(), address


@pytest.mark.parametrize("file", SCRIPTS, ids=lambda file: str(file.relative_to(FILES)))
def test_scripts_write_no_html(file) -> None:
    """What the policy forbids is not even tried; and each file says what it is for."""
    text = file.read_text(encoding="utf-8")
    assert not re.search(r"innerHTML|unsafeHTML|document\.write|insertAdjacentHTML|\beval\(|style=", text)
    assert text.startswith("/*")
