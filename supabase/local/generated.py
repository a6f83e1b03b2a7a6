"""`make generated`: the schema files that are written from the lists in supabase/data."""

from collections.abc import Callable
from pathlib import Path

import field_functions
import names
from packages import ROOT

SCHEMAS = ROOT / "supabase" / "schemas"
FILES: dict[Path, Callable[[], str]] = {
    SCHEMAS / "15_fields" / "fields.sql": field_functions.generated,
    SCHEMAS / "20_text" / "names.sql": names.generated,
}

if __name__ == "__main__":
    for file, generated in FILES.items():
        file.write_text(generated(), encoding="utf-8")
