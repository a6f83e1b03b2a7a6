"""What is tested here needs no database, and is given none."""

import pytest


@pytest.fixture(scope="session")
def stack() -> None:
    """Says where a test belongs that asks for one."""
    pytest.fail("A test that needs a database belongs to tests/integration.")
