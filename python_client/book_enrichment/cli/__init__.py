"""The command line, `book-enrichment`: what a person or a script types.

A person sees progress on stderr while it lasts and tables on stdout, or with `--json` one JSON object. What
every command needs is in the environment (see `book_enrichment.settings`). A file a command: `common.py`
holds what all share, `decisions.py` what those that decide do, `showing.py` what a value looks like. Exit
codes:

    0  done; rows of a file that were rejected are listed, the rest is in
    1  `doctor` found something that keeps enrichment from working, `migrate --check` something to do
    2  wrong usage, a file that cannot be read, or settings that are missing or wrong
    3  the database gave no answer
    4  the database refused
"""

# In the order of --help.
# isort: off
from book_enrichment.cli.common import app
from book_enrichment.cli import (  # noqa: F401
    import_,
    imports,
    run,
    serve,
    enqueue,
    approve,
    dismiss,
    undo,
    review,
    status,
    explain,
    preview,
    usage,
    migrate,
    uninstall,
    settings,
    doctor,
)

# isort: on
from book_enrichment.cli.run import stats_table

__all__ = ["app", "stats_table"]
