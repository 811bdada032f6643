"""Repositories of el-shaped packages, signed, made once and kept below .cache until their ingredients change."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from provisioner.host.files import locked
from provisioner.host.run import run
from provisioner.image.scratch import remove
from tests.support.elshaped import spec
from tests.support.elshaped.debian import EPOCH, DebianTree
from tests.support.elshaped.flavour import CENTOS_7, ROCKY_9, Flavour
from tests.support.elshaped.staging import Stage

NEEDED = ("mmdebstrap", "rpmbuild", "rpmsign", "createrepo_c", "gpg", "dnf")

_HERE = Path(__file__).parent
_CACHE = _HERE.parents[2] / ".cache" / "elshaped"
# They use the packages, and make none.
_USERS = frozenset({"container.py", "images.py"})
_SIGNER = "el-shaped packages"


@dataclass(frozen=True)
class Repositories:
    """A folder with one repository for each distribution, and the key that signed their packages."""

    folder: Path

    def url(self, flavour: Flavour) -> str:
        """The address of a distribution's repository."""
        return f"file://{self.folder / flavour.name}"

    @property
    def key(self) -> str:
        """The address of the public key."""
        return f"file://{self.folder / 'key.asc'}"


def repositories() -> Repositories:
    """Both repositories; they are made where they are not there yet."""
    folder = _CACHE / f"repositories-{_ingredients(_HERE)}"
    _CACHE.mkdir(parents=True, exist_ok=True)
    with locked(_CACHE / "lock"):
        if not folder.exists():
            _forget("repositories")
            with _workshop() as work:
                _make(_debian(), work).rename(folder)
    return Repositories(folder)


def _debian() -> DebianTree:
    """The Debian tree, which takes the longest and changes the least."""
    folder = _CACHE / f"debian-{_ingredients(_HERE / 'debian.py')}"
    if not folder.exists():
        _forget("debian")
        with _workshop() as work:
            DebianTree.make(work / "debian").root.rename(folder)
    return DebianTree(folder)


@contextmanager
def _workshop() -> Iterator[Path]:
    """A new folder that is gone afterwards; never what is mounted in it."""
    work = Path(tempfile.mkdtemp(dir=_CACHE, prefix="making-"))
    try:
        yield work
    finally:
        remove(work)


def _forget(kind: str) -> None:
    for old in _CACHE.glob(f"{kind}-*"):
        remove(old)


def _ingredients(place: Path) -> str:
    digest = hashlib.sha256()
    files = [place] if place.is_file() else [file for file in place.rglob("*") if file.is_file()]
    for path in sorted(file for file in files if file.suffix != ".pyc" and file.name not in _USERS):
        digest.update(str(path.relative_to(_HERE)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _make(debian: DebianTree, work: Path) -> Path:
    result = work / "result"
    result.mkdir()
    _make_key(work / "keys", result / "key.asc")
    for flavour in (ROCKY_9, CENTOS_7):
        _make_repository(flavour, debian, work / flavour.name, result / flavour.name)
        _sign(result / flavour.name, work / "keys")
        groups = ["--groupfile", str(_HERE / "files" / "groups.xml")]
        run(["createrepo_c", "--quiet", "--general-compress-type=gz", *groups, result / flavour.name])
    return result


def _make_repository(flavour: Flavour, debian: DebianTree, work: Path, result: Path) -> None:
    stage = Stage.make(flavour, debian, work / "stage")
    text = spec.write(stage, debian)
    file = work / f"{flavour.name}.spec"
    file.write_text(text)
    macros: dict[str, object] = {
        "srctree": stage.root,
        "_topdir": work / "rpmbuild",
        "_rpmdir": result,
        "_rpmfilename": "%%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm",
        "use_source_date_epoch_as_buildtime": 1,
        "clamp_mtime_to_source_date_epoch": 1,
        "_buildhost": "el-shaped",
    }
    defines = [word for name, value in macros.items() for word in ("--define", f"{name} {value}")]
    run(["rpmbuild", "-bb", "--quiet", *defines, file], environment={"SOURCE_DATE_EPOCH": str(EPOCH)})


def _make_key(home: Path, public: Path) -> None:
    home.mkdir(mode=0o700)
    gpg = ["gpg", "--homedir", str(home), "--batch", "--quiet"]
    run([*gpg, "--passphrase", "", "--quick-gen-key", _SIGNER, "rsa2048", "sign", "never"])
    public.write_text(run([*gpg, "--armor", "--export", _SIGNER]))


def _sign(folder: Path, home: Path) -> None:
    # Debian's rpm expects gpg under a name that Debian does not have.
    macros = {"__gpg": "/usr/bin/gpg", "_gpg_path": home, "_gpg_name": _SIGNER}
    defines = [word for name, value in macros.items() for word in ("--define", f"{name} {value}")]
    run(["rpmsign", *defines, "--addsign", *sorted(folder.glob("*.rpm"))])
