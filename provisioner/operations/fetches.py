"""What each URL of a boot leads to, by the rules of the HTTP service: its routes, and what a token opens."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from provisioner.boot.access import Requester, Resource, access
from provisioner.boot.script import ScriptTokens
from provisioner.errors import ProvisionerError
from provisioner.model.address import MacAddress
from provisioner.model.boot import Boot, BootRecord, TokenStage
from provisioner.model.snapshot import Snapshot
from provisioner.trust.sitekey import KEY_BYTES, SiteKey
from provisioner.trust.token import Claims, TokenError, TokenMint

# Not the value of a kernel argument such as prov.url=http://10.0.0.1:8080, which nobody fetches as it is.
_URL = re.compile(r"(?<![=\w])https?://\S+")
_ARGUMENT = re.compile(r"\bprov\.(url|token)=(\S+)")
_TOKEN = re.compile(r"/t/([^/]+)/(.+)")
_BOOT_ID = "0" * 16


class UnresolvedError(ProvisionerError):
    """A URL that this site would answer with an error."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a URL leads to: something behind a token, a `loader`, or another `page`; all None for other servers."""

    resource: Resource | None = None
    loader: str | None = None
    page: str | None = None


class Tokens:
    """The tokens of a rehearsed boot. No machine has them, and no daemon takes them: their key is made up."""

    def __init__(self, decision: Boot, revision: str, mac: MacAddress) -> None:
        self._mint = _MINT
        now = time.time()
        name, generation = decision.node.name, decision.generation.name
        address = decision.interface.boot_address
        sources = (str(address.ip) if address else "",)
        stage = TokenStage.SCRIPT
        self._claims = Claims(name, mac, _BOOT_ID, generation, revision, stage, int(now), sources, _LINE)
        self._record = BootRecord(_BOOT_ID, name, mac, generation, revision, now, stage, stage.value, now)
        self.script = ScriptTokens(self.of(TokenStage.SCRIPT), self.of(TokenStage.STAGE1))

    def of(self, stage: TokenStage) -> str:
        """The token of a stage, as long as a real one."""
        claims = self._claims
        expires = claims.expires + stage.lifetime
        # Only that of stage 1 tells the kernel line.
        line = claims.line if stage is TokenStage.STAGE1 else ""
        return self._mint.issue(replace(claims, stage=stage, expires=expires, line=line))

    def open(self, token: str, resource: Resource) -> None:
        """Raise UnresolvedError unless a token opens a resource while its stage lasts."""
        try:
            claims = self._mint.verify(token, now=self._record.opened)
        except TokenError as error:
            raise UnresolvedError(f"{resource}: {error.message}", hint=_SCRIPT_HINT) from None
        denied = access(claims, self._record, resource, requester=Requester.ITSELF, now=self._record.opened)
        if denied is not None:
            raise UnresolvedError(denied.reason, hint=_SCRIPT_HINT)


_LINE = "0" * 32
_MINT = TokenMint(SiteKey(bytes(KEY_BYTES)))
_SCRIPT_HINT = "look at the boot script in templates/: node's `script` names it"


def urls_in(script: str) -> list[str]:
    """Every URL in a script, in its order, each once."""
    return list(dict.fromkeys(_URL.findall(script)))


def arguments_in(script: str) -> Mapping[str, str]:
    """`url` and `token`, which stage 1 takes from its kernel line."""
    return dict(_ARGUMENT.findall(script))


def resolve(url: str, snapshot: Snapshot, tokens: Tokens) -> Target:
    """What a URL leads to. Raises UnresolvedError where this site answers no such thing."""
    if "${" in url:
        return Target()
    parts = urlsplit(url)
    networks = snapshot.site.networks.values()
    heads = {str(head) for network in networks for head in (*network.heads, network.head6)}
    if parts.hostname not in heads:
        return Target()
    if parts.scheme != "http" or parts.port != snapshot.site.ports.http:
        message = f"{_without_token(url)}: this site answers at port {snapshot.site.ports.http}, by http"
        raise UnresolvedError(message, hint=_SCRIPT_HINT)
    return _at(parts.path, tokens)


def _at(path: str, tokens: Tokens) -> Target:
    behind = _TOKEN.fullmatch(path)
    if behind is not None and behind[2] in set(Resource):
        resource = Resource(behind[2])
        tokens.open(behind[1], resource)
        return Target(resource=resource)
    if path in {"/autoexec.ipxe", "/loader/autoexec.ipxe"}:
        return Target(page="autoexec.ipxe")
    if path in {"/grub/grub.cfg", "/loader/grub/grub.cfg"}:
        return Target(page="grub.cfg")
    if path.startswith("/loader/"):
        return Target(loader=path.removeprefix("/loader/"))
    if path.startswith(("/tool/", "/survey/")):
        return Target(page=f"{path.rpartition('/')[2]}, for a machine without a token")
    if path.startswith("/boot/"):
        return Target(page=f"the script of {_machine(path.removeprefix('/boot/'))}")
    if path.startswith("/grub/"):
        return Target(page=f"the script of {_machine(path.removeprefix('/grub/').removesuffix('.cfg'))} for GRUB")
    raise UnresolvedError(f"this site answers nothing at {_without_token(path)}", hint=_SCRIPT_HINT)


def _machine(text: str) -> MacAddress:
    try:
        return MacAddress(text)
    except ValueError as error:
        raise UnresolvedError(str(error), hint=_SCRIPT_HINT) from None


def _without_token(text: str) -> str:
    return re.sub(r"/t/[^/]+/", "/t/TOKEN/", text)
