"""Covers as they come over the wire; nothing of it reaches a database."""

from cover_server import client as client
from cover_server import server as server
