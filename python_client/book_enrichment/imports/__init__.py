"""Exports in, rows for `import_library` out.

`read_export` takes the bytes of a Goodreads or StoryGraph CSV and gives one `ImportRow` per book, in file
order. `parsing.py` finds records in bytes, `export.py` finds out whose export it is, `goodreads.py` and
`storygraph.py` read a book from a record, `cells.py` a value from a cell. What comes after is `sending.py`:
`import_library`, 500 rows a call; `uploads.py` does both behind a request, for many readers.

    export = read_export_file("goodreads_library_export.csv")
    for row in export.rows:
        print(row.row_number, row.title, row.problem or row.isbn)
"""

from .export import SOURCES, Export, read_export, read_export_file
from .parsing import MAX_FILE_BYTES, ImportFileError
from .rows import ImportRow

__all__ = [
    "MAX_FILE_BYTES",
    "SOURCES",
    "Export",
    "ImportFileError",
    "ImportRow",
    "read_export",
    "read_export_file",
]
