"""Overlay files of a revision rendered to a tree of entries for one node."""
