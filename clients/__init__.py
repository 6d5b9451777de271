"""Households, clients, applications, documents, accounts, tasks, maintenance. Owns all personal data.

May import the foundation (`backoffice`). Must not know that money or orders exist.
"""
