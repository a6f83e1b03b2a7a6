"""Release 0 is kept as it was installed."""

import hashlib

import release_0


def test_release_0_is_what_was_released() -> None:
    """22 files, to the byte."""
    files = release_0.files()
    assert len(files) == 22
    assert list(files) == sorted(files)
    digest = hashlib.sha256("".join(files.values()).encode()).hexdigest()
    assert digest == "63110945c7c31dae4cae8e5b39553b0ff667d04091051c40233995bcf736b5e2"
