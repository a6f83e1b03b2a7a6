"""Where book data comes from: one module per provider, one guarded GET for all of them.

How to add one: supabase/docs/embedding.md, "Adding a provider".
"""

from .google_books import GoogleBooks
from .http import Guarded, LookupRefused, NotPermitted, Timeouts
from .lookups import Answer, Lookup, Permit, Provider, ProviderUnavailable
from .open_library import NO_ADDRESS, OpenLibrary, agent_of, user_agent
from .trimming import clean_json

__all__ = [
    "NO_ADDRESS",
    "Answer",
    "GoogleBooks",
    "Guarded",
    "Lookup",
    "LookupRefused",
    "NotPermitted",
    "OpenLibrary",
    "Permit",
    "Provider",
    "ProviderUnavailable",
    "Timeouts",
    "agent_of",
    "clean_json",
    "user_agent",
]
