"""The one Jinja environment, sandboxed and strict, with an escaper for each output language."""
