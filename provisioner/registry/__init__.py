"""Site files become one frozen, indexed snapshot; edits become text splices."""
