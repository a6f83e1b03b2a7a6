"""What a database consists of, object by object, so that two ways of making it can be compared.

pg_dump writes each object with its owner; comments, grants, policies and publication members are objects of
their own. Whatever two dumps agree in is the same catalogue.
"""

import re
import subprocess

import psycopg

from packages import POSTGRES_BIN

ENTRY = re.compile(r"^--\n-- Name: (.*); Type: (.*); Schema: (.*); Owner: .*\n--\n", re.MULTILINE)
NOT_OURS = ["supabase_migrations", "tests", "remembered"]

# The rows we ship, without their clocks.
SHIPPED = {
    "settings": "select to_jsonb(t) from enrichment.settings as t",
    "providers": "select to_jsonb(t) - 'refilled_at' from enrichment.providers as t order by provider",
    "cover_storage": "select to_jsonb(t) from enrichment.cover_storage as t",
    "cover_backfill": "select to_jsonb(t) from enrichment.cover_backfill as t",
    "placeholder_images": "select to_jsonb(t) from enrichment.placeholder_images as t order by digest",
    "buckets": "select to_jsonb(t) - array['created_at', 'updated_at'] from storage.buckets as t order by id",
}
JOBS = "select jsonb_build_array(jobname, schedule, command, active) from cron.job order by jobname"


def catalogue(superuser_url: str) -> dict[str, str]:
    """Each object of a database, as `type schema.name`, with the statements that make it."""
    command = [POSTGRES_BIN / "pg_dump", "--schema-only", *(f"--exclude-schema={name}" for name in NOT_OURS)]
    dump = subprocess.run([*command, superuser_url], check=True, capture_output=True, text=True).stdout
    parts = ENTRY.split(dump)[1:]
    return {
        f"{kind} {schema}.{name}": text.split("\n\n\n--\n-- PostgreSQL database dump complete")[0].strip()
        for name, kind, schema, text in zip(*(iter(parts),) * 4, strict=True)
    }


def shipped_rows(superuser_url: str) -> dict[str, list[object]]:
    """The rows an installation brings along, table by table, and the jobs where there is pg_cron."""
    with psycopg.connect(superuser_url) as connection:
        has_jobs = connection.execute("select to_regclass('cron.job') is not null").fetchone() == (True,)
        queries = SHIPPED | ({"jobs": JOBS} if has_jobs else {})
        return {
            name: [row for (row,) in connection.execute(query).fetchall()] for name, query in queries.items()
        }


def differences(one: dict[str, str], other: dict[str, str]) -> list[str]:
    """The objects that only one of two catalogues has, or that are made differently."""
    return sorted(key for key in one.keys() | other.keys() if one.get(key) != other.get(key))
