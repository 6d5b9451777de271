"""The audit's pages: the log, one entry, the chain's check, who saw a person, and evidence packs.

They stand in the frame because the audit itself lies below the people it writes about and may not ask who they are.
"""
