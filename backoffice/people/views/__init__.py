"""People for administrators, seats offered by e-mail, and what everybody sees of their own account."""
