"""Bank instructions and transfers of cash and positions.

May import clients and the foundation. Must not compute balances: it asks IBKR.
"""
