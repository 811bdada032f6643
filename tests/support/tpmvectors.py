"""What a real TPM (swtpm, by tpm2-tools 5.4) made: public areas, quotes of boot `b1`, registers.

The quotes answer the challenge of a site whose key is 32 zeros, with the endorsement key `ek_ecc`. `pcrs_other`
are the registers after PCR 4 was extended; `few` is about PCR 0 and 7 alone, `free` a key that signs anything.
"""

from __future__ import annotations

import json
from base64 import b64decode
from pathlib import Path

from provisioner.trust.sitekey import SiteKey
from provisioner.trust.tpm.attestor import Attestor, Keys
from provisioner.trust.tpm.public import Public, parse_public

_ALL = json.loads(Path(__file__).with_name("tpmvectors.json").read_text())
BOOT = "b1"
ATTESTOR = Attestor(SiteKey(bytes(32)))
SIGNERS = ("rsa", "pss", "ecc", "p384")


def vector(name: str) -> bytes:
    """The bytes of one of them."""
    return b64decode(_ALL[name])


def public(name: str) -> Public:
    """A key by its name."""
    return parse_public(vector(f"{name}.pub"), name)


def keys(signer: str = "ecc") -> Keys:
    """The keys of the machine."""
    return Keys.parse(vector("ek_ecc.pub"), vector(f"{signer}.pub"))


def registers(name: str = "pcrs") -> list[bytes]:
    """Ten registers."""
    values = vector(name)
    return [values[start : start + 32] for start in range(0, 320, 32)]
