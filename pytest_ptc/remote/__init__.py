"""Workers on the nodes of a distributed engine: both sides of it, and what goes between them."""
