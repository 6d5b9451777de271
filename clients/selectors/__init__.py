"""Joined reads of clients, for pages and workers. Every read that serves a person starts at `.visible_to(user)`."""

from clients.selectors import applications, maintenance, people

__all__ = ["applications", "maintenance", "people"]
