"""Deterministic archives as bytes: trees in, newc cpio out."""
