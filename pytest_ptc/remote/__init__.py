"""Workers on other machines: a crew at the other end of an engine's connections."""
