"""Coverage-guided fuzzing by atheris: `python -m tests.long.harness TARGET [OPTIONS OF LIBFUZZER] [FOLDERS]`.

A target is one of `tests.support.fuzzing`. Whatever it raises ends the run; libFuzzer writes the input to a file.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["provisioner", "dnslib"]):
    from tests.support.fuzzing import targets

LONGEST = 1700


def main(name: str, options: list[str]) -> None:
    """Fuzz one target until libFuzzer ends the process."""
    target = targets()[name].target

    def once(data: bytes) -> None:
        target(data[:LONGEST])

    atheris.Setup([sys.argv[0], f"-max_len={LONGEST}", *options], once)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
