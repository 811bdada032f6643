"""What people write: YAML with positions, typed models, text splices, and where everything lives."""
