"""Signatures that firmware checks before it starts a program (Authenticode), by the site's own key.

A signature holds its time, so the same file signed twice gives two files. What was signed is therefore kept: the
same kernel stays the same artifact, and a build that changes nothing publishes nothing.
"""

from __future__ import annotations

import shutil
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from provisioner.errors import CommandError
from provisioner.host.files import digest_of, make_folder
from provisioner.host.run import run
from provisioner.trust.bootkey import BootKey


def is_signed(file: Path, key: BootKey) -> bool:
    """Whether one of the signatures of a program is by this key. UnavailableError without sbsigntool.

    sbverify alone does not tell: it accepts a shim with two signatures of Microsoft's for any certificate (0.9.4).
    A signature brings the certificate of its key with it.
    """
    if key.der not in file.read_bytes():
        return False
    try:
        run(["sbverify", "--cert", key.certificate, file])
    except CommandError:
        return False
    return True


def sign(file: Path, key: BootKey, kept: Path) -> Path:
    """The program with a signature by this key beside those that it has, in the folder `kept`.

    Raises CommandError for what is no program of UEFI, and UnavailableError without sbsigntool.
    """
    name = sha256(f"{digest_of(file)} {key.fingerprint}".encode()).hexdigest()
    target = kept / name
    if not target.exists():
        make_folder(kept, mode=0o755)
        with TemporaryDirectory(dir=kept) as scratch:
            signed = Path(scratch) / "signed"
            sign_once(file, key, signed)
            signed.chmod(0o644)
            signed.replace(target)
    return target


def sign_once(file: Path, key: BootKey, output: Path) -> None:
    """The program with such a signature as a file of its own, which is not kept. It raises what `sign` raises."""
    run(["sbsign", "--key", key.private, "--cert", key.certificate, "--output", output, file])


def sign_in_place(file: Path, key: BootKey, kept: Path) -> None:
    """The same, and the file becomes the signed one."""
    shutil.copyfile(sign(file, key, kept), file)
