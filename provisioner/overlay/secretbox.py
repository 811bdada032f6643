"""What templates see as `secrets`, and how what reads secrets is rendered: for its node alone, without a trace.

A secret is found by its name when a template asks for it. Whoever renders decides where they come from: the
daemon from the site, everybody who only looks from words that stand for them.
"""

from __future__ import annotations

import hmac
import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from provisioner.archive.tree import Entry
from provisioner.errors import ProvisionerError, UnavailableError
from provisioner.model.secret import HIDDEN, Secret
from provisioner.render.environment import RenderError
from provisioner.render.escape import Multiline, UnsafeValueError
from provisioner.trust.secrets import SecretFolder, Shape
from provisioner.trust.sitekey import SiteKey

T = TypeVar("T")
# The secrets that a template names, each with the line of its first use.
Uses = tuple[tuple[str, int], ...]

VARIABLE = "secrets"
OF_NODE = "a field of the node"
"""What stands among uses for passwords that are fields of nodes; no secret has this name."""
CLOSED = 0o600
"""The mode of a file that a secret is in, unless its overlay declares another one."""


class SecretSource(Protocol):
    """Where secrets come from. What a real one gives must show nowhere."""

    @property
    def is_real(self) -> bool:
        """Whether these are the secrets themselves, and not words for them."""

    @property
    def refusal(self) -> ProvisionerError | None:
        """Why nothing may use secrets here."""

    def content(self, name: str) -> bytes:
        """The bytes of a secret. Raises ProvisionerError where there is none."""


class SecretError(ProvisionerError):
    """A secret that a template asked for and cannot have."""

    def __init__(self, name: str, reason: ProvisionerError) -> None:
        super().__init__(reason.message, hint=reason.hint)
        self.name = name


class _Refused:
    """No secrets at all."""

    is_real = False

    @property
    def refusal(self) -> ProvisionerError | None:
        """Who runs on a node could fetch them for as long as it runs."""
        hint = "list the overlay under overlays.system: runtime overlays are fetched again and again"
        return ProvisionerError("a runtime overlay cannot use secrets", hint=hint)

    def content(self, name: str) -> bytes:
        """Never."""
        raise self.refusal or ProvisionerError(name)


class SecretLines(Multiline):
    """All lines of a secret, which shows itself as stars."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(HIDDEN)


class SecretText(Secret):
    """A secret that is text, without the line break at its end; `text` is all of it, `base64` its bytes."""

    __slots__ = ("_content",)
    _content: bytes

    @classmethod
    def of(cls, content: bytes) -> SecretText:
        """The text of some bytes that are UTF-8."""
        made = cls(content.decode().removesuffix("\n").removesuffix("\r"))
        made._content = content
        return made

    @property
    def base64(self) -> Secret:
        """Its bytes in Base64 (RFC 4648 section 4), in one line."""
        return _base64(self._content)

    @property
    def text(self) -> SecretLines:
        """All of its lines."""
        return SecretLines(self._content.decode())


class SecretBytes:
    """A secret that is no text: only its Base64 can be in a template."""

    __slots__ = ("_content",)

    def __init__(self, content: bytes) -> None:
        self._content = content

    def __repr__(self) -> str:
        return repr(HIDDEN)

    def __str__(self) -> str:
        hint = "print its base64, or name the file under secrets: in overlay.yaml"
        raise UnsafeValueError(f"the secret is no text: {hint}")

    @property
    def base64(self) -> Secret:
        """Its bytes in Base64 (RFC 4648 section 4), in one line."""
        return _base64(self._content)


@dataclass(frozen=True, slots=True)
class SecretWords:
    """Words for secrets: `<secret munge>`, of several lines or no text where the secret is so.

    With `folder` a secret has to exist. With `key` too, words tell one content from another by a keyed digest.
    """

    folder: SecretFolder | None = None
    key: SiteKey | None = None
    is_real = False
    refusal = None

    def content(self, name: str) -> bytes:
        """Words for a secret. NotFoundError when there is none."""
        if self.folder is None:
            return f"<secret {name}>".encode()
        if not self.folder.has(name):
            # Tells what to type.
            self.folder.content(name)
        with suppress(UnavailableError):
            return self._shaped(name, self.folder.content(name))
        return f"<secret {name}>".encode()

    def _shaped(self, name: str, content: bytes) -> bytes:
        told = f" {fingerprint(self.key, name, content)}" if self.key else ""
        words = f"<secret {name}{told}>".encode()
        match Shape.of(content):
            case Shape.LINE:
                return words
            case Shape.LINES:
                return words + b"\n" + words
            case Shape.BYTES:
                # No UTF-8 has this byte.
                return b"\xff" + words


def fingerprint(key: SiteKey, name: str, content: bytes) -> str:
    """16 hexadecimal digits that differ for two contents, and tell nothing to who has not the site key."""
    digest = hmac.digest(key.derive("secret fingerprint", name), content, "sha256")
    return digest.hex()[:16]


@dataclass(frozen=True, slots=True, repr=False)
class SecretBox:
    """`secrets` of a template: `secrets.NAME`, `secrets["NAME"]`. Its own parts have names that no secret has."""

    _source: SecretSource

    def __getitem__(self, name: str) -> SecretText | SecretBytes:
        content = content_of(self, name)
        return SecretBytes(content) if Shape.of(content) is Shape.BYTES else SecretText.of(content)


REFUSED = SecretBox(_Refused())


def _source(box: SecretBox) -> SecretSource:
    return box._source  # noqa: SLF001 - a public name could be that of a secret, which templates ask for


def content_of(box: SecretBox, name: str) -> bytes:
    """The bytes of a secret. Raises SecretError."""
    try:
        return _source(box).content(name)
    except ProvisionerError as error:
        reason = error
    raise SecretError(name, reason)


def box_of(context: Mapping[str, object]) -> SecretBox:
    """The secrets of a context; none are allowed where it does not say so."""
    found = context.get(VARIABLE)
    return found if isinstance(found, SecretBox) else REFUSED


def guarded(label: str, uses: Uses, context: Mapping[str, object], make: Callable[[], T]) -> T:
    """What `make` gives for a template with secrets. Raises RenderError, which tells the place and no secret.

    A template says in its own words what it cannot print, so with real secrets its words are not repeated.
    """
    box = box_of(context)
    failure: RenderError
    try:
        _admit(box, uses)
        return make()
    except SecretError as error:
        failure = RenderError(f"{label}:{dict(uses).get(error.name, 1)}: {error.message}", hint=error.hint)
    except RenderError as error:
        failure = _without_words(label, error) if _source(box).is_real else error
    # Here, so that nothing of what was caught hangs on it.
    raise failure


def filled(label: str, entry: Entry, use: tuple[str, int], context: Mapping[str, object]) -> Entry:
    """A file with the very bytes of a secret, as line LINE of the file `label` says. Raises RenderError."""
    box = box_of(context)
    return guarded(label, (use,), context, lambda: replace(entry, content=content_of(box, use[0])))


def _admit(box: SecretBox, uses: Uses) -> None:
    """Refuse what may not have any, whether or not this node's text gets to the place where it asks."""
    refusal = _source(box).refusal
    if refusal is not None:
        raise SecretError(uses[0][0], refusal)


def _without_words(label: str, error: RenderError) -> RenderError:
    if not error.message.startswith((f"{label}:", "overlay ")):
        # Of whoever limits the time of a render.
        return RenderError(error.message, hint=error.hint)
    found = re.match(rf"{re.escape(label)}:\d+", error.message)
    place = found[0] if found else label
    message = f"{place}: the template fails; what it says is not repeated, because it reads secrets"
    return RenderError(message, hint="prov check renders it with words in place of secrets")


def _base64(content: bytes) -> Secret:
    return Secret(b64encode(content).decode())
