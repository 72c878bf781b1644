"""Texts from outside made safe: printable, redacted, filled into templates, matched."""
