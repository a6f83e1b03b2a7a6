"""Where book data comes from: one module per provider, one guarded GET for all of them."""

from .google_books import GoogleBooks
from .http import Timeouts
from .lookups import Answer, Lookup, Permit, Provider, ProviderUnavailable
from .open_library import OpenLibrary, user_agent

__all__ = [
    "Answer",
    "GoogleBooks",
    "Lookup",
    "OpenLibrary",
    "Permit",
    "Provider",
    "ProviderUnavailable",
    "Timeouts",
    "user_agent",
]
