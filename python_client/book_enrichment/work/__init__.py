"""Queues are worked on: rows and covers go from the database to a provider and back."""
