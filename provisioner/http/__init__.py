"""The HTTP service: scripts, kernels, images, overlays, reports."""
