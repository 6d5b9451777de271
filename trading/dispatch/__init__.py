"""Calls to IBKR's trading side, and their answers recorded. Workers only.

`orders` sends orders, replies and cancels, each once; `looks` looks for what was sent and not answered; `groups` keeps
allocation groups; `sync` reads portfolios, orders and executions; `inquiries` answers what a person waits for.
"""
