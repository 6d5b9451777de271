"""The firm's rules as one typed document per version: approvals, limits, IBKR's questions, times.

`document` is the document and its checks; `services` proposes, approves and finds the version in force; `limits` counts
against it under a lock. A version is frozen when proposed and takes effect on its day once a second principal has said
yes; the database holds both. Version 1 is in code (`document.FIRST`): what the product does before anybody wrote a rule.
"""
