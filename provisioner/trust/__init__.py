"""Site key, stage-bound tokens and derived SSH host keys."""
