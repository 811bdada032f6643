"""Virtual nodes in a network namespace: the demo and the end-to-end test bed."""
