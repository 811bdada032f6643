"""Changes of a site with their history, for tests of what is told of them."""

from __future__ import annotations

from collections.abc import Mapping

from provisioner.config.paths import Paths
from provisioner.host.files import locked
from provisioner.registry.amend import write
from provisioner.registry.collect import collect
from provisioner.registry.record import About


def change(
    paths: Paths, texts: Mapping[str, str | None], command: str = "prov edit", undoes: int | None = None
) -> None:
    """Write files as a command of ada would; None removes one."""
    contents = {path: None if text is None else text.encode() for path, text in texts.items()}
    with locked(paths.write_lock):
        write(paths, collect(paths), contents, About(who="ada", command=command, undoes=undoes))
