"""Roots that are read block by block: an NBD server, read-only, behind the tokens of boots."""
