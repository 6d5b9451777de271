"""Instruments, portfolios, allocation groups, orders, questions, executions, the blotter.

May import clients and the foundation. Must not touch funding.
"""
