"""Every verb of the product as one function, for the command line and the control socket alike."""
