"""The report vault: what IBKR offers, what we hold, and fetching the difference.

May import every app, to read. Must not cause any effect but a file.
"""
