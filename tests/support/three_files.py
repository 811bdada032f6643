"""The commit that crash tests interrupt: one file is new, one changes, one goes away.

Run as a program (`python -m tests.support.three_files commit|recover ROOT`) it works on a site of its own, and
tells by its exit status what it would have told a person. It imports little: it is started for every call.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from provisioner.config.paths import Paths
from provisioner.errors import ProvisionerError
from provisioner.host.files import locked
from provisioner.registry.amend import finish_interrupted, recover, write
from provisioner.registry.collect import collect
from provisioner.registry.record import About

OLD = {
    "provisioner.yaml": "cluster: demo\n",
    "nodes.d/changed.yaml": "nodes: {n1: {}}\n",
    "nodes.d/other.yaml": "nodes: {n9: {}}\n",
    "nodes.d/removed.yaml": "nodes: {n2: {}}\n",
}
EDIT: Mapping[str, bytes | None] = {
    "groups.d/new.yaml": b"groups: {g: {}}\n",
    "nodes.d/changed.yaml": b"nodes: {n1: {groups: [g]}}\n",
    "nodes.d/removed.yaml": None,
}
NEW = {name: text for name, text in OLD.items() if name not in EDIT} | {
    name: content.decode() for name, content in EDIT.items() if content is not None
}
# Exit statuses: nothing was changed; the change holds, but its files are not all in place.
REFUSED, UNFINISHED = 3, 4
ABOUT = About(who="ada", command="prov apply rack.yaml")


def paths_of(root: Path) -> Paths:
    """The paths of a site that ships what lies in its own `data/`."""
    return replace(Paths.below(root), data=root / "data")


def commit(paths: Paths) -> None:
    """Make the change, as every edit does."""
    with locked(paths.write_lock):
        finish_interrupted(paths)
        write(paths, collect(paths), EDIT, ABOUT)


if __name__ == "__main__":
    verb, site = sys.argv[1], paths_of(Path(sys.argv[2]))
    try:
        if verb == "recover":
            recover(site)
        else:
            commit(site)
    except (ProvisionerError, OSError) as error:
        # A disk that is full for every write is full for standard error too.
        os._exit(UNFINISHED if "is committed" in str(error) else REFUSED)
