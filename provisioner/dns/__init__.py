"""The DNS service: names of the nodes, forward and reverse."""
