"""Installing, upgrading and leaving: the SQL this package carries, and what brings a database to its version.

`migrate` and `uninstall` are what the commands of the same names call; they work over a direct connection,
one transaction a step, and are plain functions, not coroutines: nothing else happens meanwhile. `steps.py`
knows the files, `runner.py` the order of events, `release_0.py` and `kept.py` two ways a database may
already know us.
"""

from book_enrichment.migrate.runner import (
    ForeignSteps,
    Installed,
    MigrationError,
    migrate,
    not_as_released,
    plan,
    restore,
    uninstall,
)
from book_enrichment.migrate.steps import Step, released_steps

__all__ = [
    "ForeignSteps",
    "Installed",
    "MigrationError",
    "Step",
    "migrate",
    "not_as_released",
    "plan",
    "released_steps",
    "restore",
    "uninstall",
]
