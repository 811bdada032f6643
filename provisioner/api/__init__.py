"""The control socket: versioned JSON over a Unix socket."""
