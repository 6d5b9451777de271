"""Users, their roles, the books of clients they may see, and the one policy module that says who may do what."""
