"""Joined reads: standings and facts for tickets, portfolios, orders, and what the frame shows of this app. No writes."""
