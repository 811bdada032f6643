"""A TPM without a machine: swtpm behind a TCP port of a namespace, for tpm2-tools."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from provisioner.lab.namespace import Namespace
from tests.support.daemon import eventually

PORT = 2321


@contextmanager
def software_tpm(namespace: Namespace, state: Path) -> Iterator[str]:
    """A TPM with its state in a folder, which may be new; how tpm2-tools find it (TPM2TOOLS_TCTI)."""
    state.mkdir(exist_ok=True)
    place = ("--tpmstate", f"dir={state}", "--flags", "not-need-init,startup-clear")
    ports = [f"type=tcp,port={port},bindaddr=127.0.0.1" for port in (PORT, PORT + 1)]
    command = ["swtpm", "socket", "--tpm2", *place, "--server", ports[0], "--ctrl", ports[1]]
    process = namespace.spawn(command, cwd=state.parent)
    try:
        eventually(lambda: namespace.run(["ss", "-ltn"]).count("127.0.0.1:232") == len(ports))
        yield f"swtpm:host=127.0.0.1,port={PORT}"
    finally:
        process.kill()
        process.wait(10)


def renewed(state: Path) -> Path:
    """The same folder for another TPM."""
    shutil.rmtree(state)
    return state
