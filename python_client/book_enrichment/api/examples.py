"""What each route answered once, for the API's description; recorded by `make examples`."""

import json
from collections.abc import Iterable
from pathlib import Path

from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

FILE = Path(__file__).with_name("examples.json")


def show_examples(routes: Iterable[BaseRoute]) -> None:
    """Puts the examples into the descriptions of routes, by the routes' names."""
    examples = json.loads(FILE.read_text(encoding="utf-8"))
    for route in routes:
        if isinstance(route, APIRoute) and route.name in examples:
            content = {"application/json": {"example": examples[route.name]}}
            route.responses[route.status_code or 200] = {"content": content}
