"""Credentials and quotes between our code and a real TPM: swtpm, by tpm2-tools."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner.errors import CommandError, IntegrityError
from provisioner.lab.namespace import Namespace
from provisioner.trust.sitekey import SiteKey
from provisioner.trust.tpm.attestor import Attestor, Keys
from tests.support.swtpm import renewed, software_tpm

pytestmark = [pytest.mark.integration, pytest.mark.root, pytest.mark.needs("swtpm", "tpm2")]

ALL = "sha256:0,1,2,3,4,5,6,7,8,9"
ATTRIBUTES = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|sign"
ATTESTOR = Attestor(SiteKey(bytes(32)))


class Tools:
    """tpm2-tools in a folder, with a TPM."""

    def __init__(self, namespace: Namespace, tcti: str, folder: Path) -> None:
        self._words = ["env", f"TPM2TOOLS_TCTI={tcti}", f"PATH={os.environ['PATH']}", "tpm2"]
        self._namespace = namespace
        self.folder = folder

    def __call__(self, command: str, *words: str) -> None:
        paths = [word.replace("@", f"{self.folder}/") for word in words]
        self._namespace.run([*self._words, command, "-Q", *paths])
        self._namespace.run([*self._words, "flushcontext", "--transient-object"])

    def keys(self, endorsement: str, attestation: str) -> Keys:
        """Both keys; the same until the machine restarts, which is when the second becomes another one."""
        self("createek", "-G", endorsement, "-c", "@ek", "-u", "@ek.pub")
        self("createprimary", "-C", "n", "-G", f"{attestation}:null", "-a", ATTRIBUTES, "-c", "@ak")
        self("readpublic", "-c", "@ak", "-f", "tss", "-o", "@ak.pub")
        return Keys.parse(self.read("ek.pub"), self.read("ak.pub"))

    def activate(self, challenge: bytes) -> bytes:
        """What is in a challenge."""
        (self.folder / "challenge").write_bytes(challenge)
        self("startauthsession", "--policy-session", "-S", "@session")
        self("policysecret", "-S", "@session", "-c", "e")
        files = ("-i", "@challenge", "-o", "@secret", "-P", "session:@session")
        self("activatecredential", "-c", "@ak", "-C", "@ek", *files)
        self("flushcontext", "@session")
        return self.read("secret")

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()


@pytest.fixture(scope="module")
def namespace() -> Iterator[Namespace]:
    with Namespace() as namespace:
        yield namespace


@pytest.mark.parametrize(
    ("endorsement", "attestation"),
    [
        ("ecc", "ecc256:ecdsa-sha256"),
        ("rsa", "rsa2048:rsassa-sha256"),
        ("ecc", "rsa2048:rsapss-sha256"),
        ("rsa", "ecc384:ecdsa-sha256"),
    ],
)
def test_a_tpm_opens_its_challenge_and_its_quote_is_believed(
    namespace: Namespace, tmp_path: Path, endorsement: str, attestation: str
) -> None:
    with software_tpm(namespace, tmp_path / "tpm") as tcti:
        tools = Tools(namespace, tcti, tmp_path)
        keys = tools.keys(endorsement, attestation)

        secret = tools.activate(ATTESTOR.challenge("b1", keys))
        nonce = hashlib.sha256(b"quote" + secret).hexdigest()
        scheme = attestation.partition(":")[2].removesuffix("-sha256")
        files = ("-m", "@quote", "-s", "@signature")
        tools("quote", "-c", "@ak", "-l", ALL, "-q", nonce, "-g", "sha256", "--scheme", scheme, *files)
        tools("pcrread", ALL, "-o", "@registers")

    values = tools.read("registers")
    registers = [values[start : start + 32] for start in range(0, 320, 32)]
    ATTESTOR.verify("b1", keys, tools.read("quote"), tools.read("signature"), registers=registers)
    with pytest.raises(IntegrityError, match="an old one"):
        ATTESTOR.verify("b2", keys, tools.read("quote"), tools.read("signature"), registers=registers)


def test_another_tpm_does_not_open_it_nor_this_one_for_a_key_that_it_has_not(
    namespace: Namespace, tmp_path: Path
) -> None:
    with software_tpm(namespace, tmp_path / "tpm") as tcti:
        tools = Tools(namespace, tcti, tmp_path)
        keys = tools.keys("ecc", "ecc256:ecdsa-sha256")
        foreign = Keys(keys.endorsement, tools.keys("ecc", "rsa2048:rsassa-sha256").attestation)
        tools.keys("ecc", "ecc256:ecdsa-sha256")
        with pytest.raises(CommandError, match="integrity"):
            tools.activate(ATTESTOR.challenge("b1", foreign))
    renewed(tmp_path / "tpm")
    with software_tpm(namespace, tmp_path / "tpm") as tcti:
        tools = Tools(namespace, tcti, tmp_path)
        tools.keys("ecc", "ecc256:ecdsa-sha256")
        with pytest.raises(CommandError, match="ActivateCredential"):
            tools.activate(ATTESTOR.challenge("b1", keys))


def test_what_was_closed_for_a_tpm_does_not_open_after_the_machine_has_restarted(
    namespace: Namespace, tmp_path: Path
) -> None:
    with software_tpm(namespace, tmp_path / "tpm") as tcti:
        tools = Tools(namespace, tcti, tmp_path)
        keys = tools.keys("ecc", "ecc256:ecdsa-sha256")
        assert tools.keys("ecc", "ecc256:ecdsa-sha256") == keys
        challenge = ATTESTOR.challenge("b1", keys)
        assert len(tools.activate(challenge)) == 32
    with software_tpm(namespace, tmp_path / "tpm") as tcti:
        tools = Tools(namespace, tcti, tmp_path)
        later = tools.keys("ecc", "ecc256:ecdsa-sha256")
        with pytest.raises(CommandError, match="integrity"):
            tools.activate(challenge)

    assert later.endorsement.identity == keys.endorsement.identity
    assert later.attestation.identity != keys.attestation.identity
