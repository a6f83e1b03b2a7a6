"""The REST API as an app of its own; `book_enrichment.router` is for mounting it. Needs the extra `api`."""

from book_enrichment.api.app import create_app, serve

__all__ = ["create_app", "serve"]
