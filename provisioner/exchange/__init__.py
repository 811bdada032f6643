"""Importers from other products and exporters for other tools: pure functions between texts and our values."""
