"""Databases that run an old release, filled with decisions."""

from collections.abc import Callable, Iterator

import pytest

pytest.register_assert_rewrite("asking", "decisions", "deeds", "snapshots")

import release_0  # noqa: E402
from filling import Filled, fill  # noqa: E402
from host_app import HostApp  # noqa: E402


@pytest.fixture(scope="module")
def filled_host(make_host: Callable[..., HostApp]) -> tuple[HostApp, Filled]:
    """A host's database that runs release 0, and what is in it: to be copied, not to be changed."""
    host = make_host()
    release_0.install(host.url)
    return host, fill(host)


@pytest.fixture
def copied_host(filled_host: tuple[HostApp, Filled]) -> Iterator[HostApp]:
    """A copy of it for this test alone."""
    original, _ = filled_host
    host = original.copy(f"{original.name}_copy")
    yield host
    original.stack.drop_database(host.name)
