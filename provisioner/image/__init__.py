"""Images: sources, trees, kernels, stage 1, packed roots, generations."""
