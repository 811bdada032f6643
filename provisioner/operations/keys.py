"""The keys of a site: what there is of them, and the rotation of those that sign."""

from __future__ import annotations

import time
from dataclasses import dataclass
from hashlib import sha256

from provisioner.config.paths import Paths
from provisioner.errors import NotFoundError
from provisioner.image import store
from provisioner.model.image import Generation
from provisioner.operations import live
from provisioner.operations.imagetrust import sign_again
from provisioner.operations.secureboot import renew
from provisioner.trust import tokenepoch
from provisioner.trust.seal import unsealed
from provisioner.trust.signing import EPOCH_FILE, SigningKeys
from provisioner.trust.sitekey import SiteKey
from provisioner.trust.tokenepoch import read_epoch


@dataclass(frozen=True, slots=True)
class KeysRow:
    """One key: its name, a fingerprint that tells two of them apart and nothing more, and when it began.

    `since` is in Unix seconds, None where nobody noted it.
    """

    key: str
    fingerprint: str
    since: float | None
    use: str


def list_keys(paths: Paths) -> list[KeysRow]:
    """The site key and the keys of tokens that are good. NotFoundError for a site that never had any."""
    path = paths.keys / "site.key"
    if not path.exists():
        raise NotFoundError(f"{paths.site} has no site key yet", hint="prov serve makes it at its first start")
    site, epoch = SiteKey.load_or_create(paths.keys), read_epoch(paths.keys)
    rows = [KeysRow("site", _fingerprint(site, "site"), path.stat().st_mtime, "everything below comes from it")]
    rows.append(_token(site, epoch.number, epoch.since or None, "signs tokens"))
    if epoch.number > 1:
        rows.append(_token(site, epoch.number - 1, None, "its tokens are still good"))
    return [*rows, *_signing(paths, site)]


def _signing(paths: Paths, site: SiteKey) -> list[KeysRow]:
    epoch = read_epoch(paths.keys, EPOCH_FILE)
    names = SigningKeys(site, lambda: epoch.number).identities()
    uses = (("signs images and boot sheets", epoch.since or None), ("its signatures are still good", None))
    return [
        KeysRow(f"signing {epoch.number - back}", name, since, use)
        for back, (name, (use, since)) in enumerate(zip(names, uses, strict=False))
    ]


def rotate(paths: Paths, *, revoke: bool = False) -> int:
    """Begin the next key of tokens, and return its number. With `revoke` no token of today is good any more."""
    return tokenepoch.rotate(paths.keys, now=time.time(), revoke=revoke).number


def rotate_signing(paths: Paths) -> tuple[int, int]:
    """Begin the next key of signatures: its number, and how many generations were signed again with it.

    Unified kernel images hold the public keys, so those that there are are made again, where the site vouches for
    their generation. It raises what `secureboot.renew` raises; the rest of them is then left to `prov secureboot
    sign`.
    """
    before = store.signing_keys(paths)
    number = tokenepoch.rotate(paths.keys, now=time.time(), file=EPOCH_FILE).number
    count = sign_again(paths, before)
    for generation in (joined := _unified(paths)):
        renew(paths, generation)
    if joined:
        live.serve_changes(paths)
    return number, count


def _unified(paths: Paths) -> list[Generation]:
    known, keys = store.catalogue(paths).generations.values(), store.signing_keys(paths)
    found = [each for generations in known for each in generations.values() if each.uki is not None]
    return [each for each in found if not unsealed(each, keys)]


def _token(site: SiteKey, number: int, since: float | None, use: str) -> KeysRow:
    return KeysRow(f"token {number}", _fingerprint(site, "token", str(number)), since, use)


def _fingerprint(site: SiteKey, *what: str) -> str:
    # Of bytes derived for this alone: nothing that any key is used for.
    return sha256(site.derive("fingerprint", *what)).hexdigest()[:16]
