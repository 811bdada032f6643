"""The one door to the machine: subprocesses, mounts, locks, atomic writes, interface addresses."""
