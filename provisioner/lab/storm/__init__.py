"""A boot storm: thousands of simulated machines that speak the protocols of a boot against the real daemon."""
