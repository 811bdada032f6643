"""Trees of images made by hand, small enough for unit tests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from provisioner.config.paths import Paths
from provisioner.image import inventory, manifest, store
from provisioner.model.image import Generation
from tests.support import resolved

DEBIAN: Mapping[str, str] = {
    "etc/os-release": 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian 12"\nID_LIKE=toy\n',
    "etc/passwd": "root:x:0:0:root:/root:/bin/bash\nmunge:x:998:997::/nonexistent:/usr/sbin/nologin\n",
    "etc/group": "root:x:0:\nmunge:x:997:\nslurm:x:64030:munge,root\n",
    "etc/shells": "/bin/bash\n",
    "usr/bin/bash": "#!",
    "usr/lib/systemd/systemd": "#!",
    "usr/lib/systemd/systemd-networkd": "#!",
    "usr/lib/systemd/system/systemd-networkd.service": "[Install]\nWantedBy=multi-user.target\n",
    "usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-252.so": "ELF",
    "var/lib/dpkg/status": (
        "Package: bash\nStatus: install ok installed\nVersion: 5.2.15-2+b7\nArchitecture: amd64\n\n"
        "Package: systemd\nStatus: install ok installed\nVersion: 252.39-1\nArchitecture: amd64\n\n"
        "Package: gone\nStatus: deinstall ok config-files\nVersion: 1\nArchitecture: all\n"
    ),
    "var/lib/dpkg/info/bash.list": "/.\n/bin\n/bin/bash\n",
    "var/lib/dpkg/info/systemd:amd64.list": "/lib/systemd/systemd\n",
}
LINKS: Mapping[str, str] = {
    "bin": "usr/bin",
    "lib": "usr/lib",
    "sbin": "usr/sbin",
    "usr/sbin/init": "/lib/systemd/systemd",
    "etc/systemd/system/multi-user.target.wants/systemd-networkd.service": (
        "/lib/systemd/system/systemd-networkd.service"
    ),
}


def tree(root: Path, files: Mapping[str, str] | None = None, links: Mapping[str, str] | None = None) -> Path:
    """A merged-usr tree like Debian's; `files` and `links` come on top."""
    for path, content in {**DEBIAN, **(files or {})}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content)
    for path, target in {**LINKS, **(links or {})}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).unlink(missing_ok=True)
        (root / path).symlink_to(target)
    return root


def stored(paths: Paths, root: Path) -> Generation:
    """A published generation whose inventory is that of a tree; its other artifacts are made up."""
    store.prepare(paths)
    work = paths.images / "tmp"
    found = manifest.write(root, work / "manifest")
    inventory.write(root, work / "manifest", work / "inventory")
    listed = store.add_artifact(paths, work / "inventory")
    return store.publish(paths, resolved.generation(tree=found.tree).model_copy(update={"inventory": listed}))
