"""Where everything lives: the site's files, the state, and the data that ships with the package."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT_VARIABLE = "PROVISIONER_ROOT"


@dataclass(frozen=True, slots=True)
class Paths:
    """All paths of one site.

    With a root directory everything lies below it: what people write directly in it, the rest in `var/` and
    `run/`. Without one the usual places of a Linux system are used.
    """

    site: Path
    state: Path
    run: Path
    data: Path

    @classmethod
    def below(cls, root: Path | None) -> Paths:
        """The paths of a site below a root directory, or of the system's own site for None."""
        if root is None:
            places = (Path("/etc/provisioner"), Path("/var/lib/provisioner"), Path("/run/provisioner"))
        else:
            root = root.absolute()
            places = (root, root / "var", root / "run")
        return cls(*places, data=shipped_data())

    @property
    def site_file(self) -> Path:
        """provisioner.yaml."""
        return self.site / "provisioner.yaml"

    @property
    def group_files(self) -> Path:
        """The folder of files with `groups:`."""
        return self.site / "groups.d"

    @property
    def node_files(self) -> Path:
        """The folder of files with `nodes:`."""
        return self.site / "nodes.d"

    @property
    def switch_files(self) -> Path:
        """The folder of switches."""
        return self.site / "switches.d"

    @property
    def write_lock(self) -> Path:
        """Held by whoever writes site files."""
        return self.state / "write.lock"

    @property
    def history(self) -> Path:
        """The SQLite file of all changes: who, when, what, and the texts before and after."""
        return self.state / "history.sqlite"

    @property
    def objects(self) -> Path:
        """Contents of everything that people wrote, by digest."""
        return self.state / "objects"

    @property
    def snapshots(self) -> Path:
        """Compiled snapshots, one SQLite file a revision."""
        return self.state / "snapshots"

    @property
    def current_revision(self) -> Path:
        """Names the revision that is served."""
        return self.state / "current-revision"

    @property
    def events(self) -> Path:
        """The SQLite file of events and boots."""
        return self.state / "events.sqlite"

    @property
    def boot_logs(self) -> Path:
        """What machines logged until their hand-over."""
        return self.state / "boot-logs"

    @property
    def hardware(self) -> Path:
        """What machines are, by their hardware address."""
        return self.state / "hardware"

    @property
    def inbox(self) -> Path:
        """Machines that are no nodes, as the daemon saw them."""
        return self.state / "machines.json"

    @property
    def keys(self) -> Path:
        """The site's secrets, root only."""
        return self.state / "keys"

    @property
    def images(self) -> Path:
        """The image store."""
        return self.state / "images"

    @property
    def control_socket(self) -> Path:
        """Where the daemon takes commands."""
        return self.run / "control.sock"


def shipped_data() -> Path:
    """The folder that holds the shipped overlays/, templates/ and images/: a checkout's own, else the wheel's."""
    package = Path(__file__).resolve().parent.parent
    checkout = package.parent
    return (
        checkout
        if (checkout / "pyproject.toml").is_file() and (checkout / "overlays").is_dir()
        else package / "data"
    )
