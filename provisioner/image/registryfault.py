"""What skopeo says when something went wrong, as sentences that name the way out."""

from __future__ import annotations

import re
from typing import NamedTuple

from provisioner.errors import CommandError, IntegrityError, NotFoundError, ProvisionerError, UnavailableError


class _Fault(NamedTuple):
    sign: str
    kind: type[ProvisionerError]
    message: str
    hint: str | None


_LOGIN = "--login USER asks for the password, --creds-file FILE or --authfile FILE hold it"
# The first sign that is found counts, so what is more special comes first.
_FAULTS = (
    _Fault(r"no space left on device", UnavailableError, "no space left on device for {name}", None),
    _Fault(
        r"no such host|server misbehaving|Temporary failure in name resolution",
        UnavailableError,
        "no host has the name of the registry of {name}",
        "check the name, DNS and the proxy (https_proxy, no_proxy)",
    ),
    _Fault(
        r"connection refused|i/o timeout|network is unreachable|no route to host|connection reset|"
        r"deadline exceeded",
        UnavailableError,
        "the registry of {name} does not answer",
        "check host, port and the proxy (https_proxy, no_proxy); what has arrived is kept, so try again",
    ),
    _Fault(
        r"server gave HTTP response to HTTPS client",
        UnavailableError,
        "the registry of {name} speaks plain HTTP",
        "--insecure takes images from it all the same, and from whoever answers in its place",
    ),
    _Fault(
        r"x509:|tls:",
        UnavailableError,
        "the certificate of the registry of {name} is not trusted",
        "--cert-dir DIR names a folder with the ca.crt that signed it",
    ),
    _Fault(
        r"did not match|digest mismatch|does not match|hash mismatch|unexpected EOF|Digest .* invalid|"
        r"content-length|short read",
        IntegrityError,
        "what the registry sends for {name} is not what its digest says",
        "the registry or something on the way to it is damaged; nothing was imported",
    ),
    _Fault(
        r"Source image rejected|signature|policy requirement",
        IntegrityError,
        "the signature policy does not allow {name}",
        "have the image signed, or change the policy that --policy names",
    ),
    _Fault(
        r"unauthorized|authentication required|denied|401|403|forbidden|no basic auth|UNAUTHORIZED",
        ProvisionerError,
        "the registry gives {name} to nobody without the right login",
        _LOGIN,
    ),
    _Fault(
        r"manifest unknown|name unknown|NAME_UNKNOWN|not found|repository .* unknown|404",
        NotFoundError,
        "the registry has no {name}",
        "skopeo list-tags docker://HOST/PATH names the tags that there are",
    ),
)


def explained(error: CommandError, name: str) -> ProvisionerError:
    """The error of a failed skopeo in words of ours, and its own last line behind them."""
    last = _last(error.output)
    # A repository may be called `denied` or `not-found`.
    folder, slash, base = name.rpartition("/")
    said = last.replace(f"{folder}{slash}{re.split('[:@]', base)[0]}", "IMAGE")
    for fault in _FAULTS:
        if re.search(fault.sign, said, re.IGNORECASE):
            return fault.kind(f"{fault.message.format(name=name)} ({last})", hint=fault.hint)
    return ProvisionerError(f"{name} cannot be fetched: {last or error.message}")


def _last(output: str) -> str:
    """The last line that skopeo printed, without its time stamps and quotes."""
    lines = [line for line in output.splitlines() if line.strip()]
    if not lines:
        return ""
    found = re.search(r'msg="(.*)"', lines[-1])
    return found[1].replace('\\"', '"') if found else lines[-1]
