"""Rendered files that many nodes share, made once.

The key of a memory names the template and the value of everything that it reads (`render.inputs`). So a list of
all hosts is rendered once for ten thousand nodes, and nothing in here can be stale. What reads something that
only one node has (its name, its interfaces, its keys) is not kept.

A memory outlives the snapshots that its files were rendered from, so nothing that is kept leads to one: large
values stand in a key as their stamps.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, fields, is_dataclass

from pydantic import BaseModel

from provisioner.archive.tree import Entry
from provisioner.overlay.context import SHARED, AllNodes
from provisioner.overlay.hosttrust import HostTrust
from provisioner.overlay.imagefacts import ImageFacts
from provisioner.overlay.includes import SiteFiles
from provisioner.overlay.secretbox import OF_NODE, Uses, guarded
from provisioner.render.environment import Renderer, RenderError
from provisioner.render.inputs import Inputs, Read

MEMORY = 64 << 20
"""How many bytes of files are kept, by default."""

_OVERHEAD = 1024
# How every message about an overlay's own mistake starts.
_OWN_WORDS = ("overlays/", "overlay ")
# The parts of `node` that no two nodes share. A template that reads one, or another variable of one node, is
# rendered for each.
_OWN_FIELDS = frozenset({"name", "fqdn", "interfaces", "boot_interface", "interface_of", "bmc", "uuid", "serial"})

Context = Mapping[str, object]
Files = tuple[Entry, ...]
Bound = Callable[[str], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class Template:
    """A template of an overlay: `label` for messages, `digest` of all that its files come from but the context."""

    label: str
    source: str
    digest: str
    inputs: Inputs
    is_of_one_node: bool

    @property
    def uses(self) -> Uses:
        """What nobody else may read of what it reads, with lines: secrets of the site, and passwords of nodes."""
        password = self.inputs.password
        return (*self.inputs.secrets, *([(OF_NODE, password)] if password else []))


class RenderMemo:
    """Files by the inputs that they were rendered from, the newest ones; failures are kept too.

    `bound` limits each render by the label of its template: what it raises counts as the template's own mistake.
    Without it the caller has to limit the whole, and then only the renderer's errors are kept, because another
    template may have used the time up.
    """

    def __init__(self, renderer: Renderer, *, limit: int = MEMORY, bound: Bound | None = None) -> None:
        self.renderer = renderer
        self._limit = limit
        self._bound = bound
        self._kept: OrderedDict[Hashable, Files | RenderError] = OrderedDict()
        self._size = 0

    def files(self, template: Template, context: Context, make: Callable[[], Files]) -> Files:
        """The files that a template makes in a context. Raises RenderError."""
        label = template.label
        uses = template.uses
        if uses:
            return guarded(label, uses, context, lambda: self._made(label, make))
        if template.is_of_one_node:
            return self._made(label, make)
        key = (template.digest, *(stamp(context, read) for read in template.inputs.reads))
        known = self._kept.get(key)
        if known is None:
            known = self._remember(key, label, make)
        else:
            self._kept.move_to_end(key)
        if isinstance(known, RenderError):
            raise RenderError(known.message, hint=known.hint)
        return known

    def _remember(self, key: Hashable, label: str, make: Callable[[], Files]) -> Files | RenderError:
        outcome: Files | RenderError
        try:
            outcome = self._made(label, make)
        except RenderError as error:
            if self._bound is None and not error.message.startswith(_OWN_WORDS):
                raise
            # Not the error itself: it holds the frames that it came through, and all that they see.
            outcome = RenderError(error.message, hint=error.hint)
        self._kept[key] = outcome
        self._size += _weight(outcome)
        while self._size > self._limit and len(self._kept) > 1:
            self._size -= _weight(self._kept.popitem(last=False)[1])
        return outcome

    def _made(self, label: str, make: Callable[[], Files]) -> Files:
        with self._bound(label) if self._bound else nullcontext():
            return make()


def is_of_one_node(inputs: Inputs) -> bool:
    """Whether a template reads something that no two nodes share."""
    return any(_is_own(*read) for read in inputs.reads)


def _is_own(variable: str, field: str = "", *_: str) -> bool:
    return variable not in SHARED and (variable != "node" or not field or field in _OWN_FIELDS)


def stamp(context: Context, read: Read) -> Hashable:
    """A value that is equal for two contexts only where what is read has one value in both."""
    if read[0] not in context:
        return None
    value = context[read[0]]
    for step in read[1:]:
        if not _holds(value, step):
            break
        value = getattr(value, step)
    return _frozen(value)


def _holds(value: object, step: str) -> bool:
    """Whether a step leads to a value. Methods, and keys of maps, count as the whole of what has them."""
    if isinstance(value, BaseModel):
        model = type(value)
        return step in model.model_fields or isinstance(getattr(model, step, None), property)
    return is_dataclass(value) and any(field.name == step for field in fields(value))


def _frozen(value: object) -> Hashable:
    """A hashable image of a value; types are part of it, because 1 and True print differently."""
    kind = type(value)
    if type(value) is str or value is None:
        return value
    if isinstance(value, AllNodes | HostTrust | ImageFacts | SiteFiles):
        return kind, value.stamp
    if isinstance(value, BaseModel):
        return kind, tuple((key, _frozen(each)) for key, each in value.__dict__.items())
    if isinstance(value, Mapping):
        return kind, tuple((key, _frozen(each)) for key, each in value.items())
    if isinstance(value, list | tuple):
        return kind, tuple(map(_frozen, value))
    if is_dataclass(value):
        return kind, tuple(_frozen(getattr(value, each.name)) for each in fields(value))
    # Numbers, addresses, enumerations; whatever compares by identity is merely not shared.
    return kind, value


def _weight(outcome: Files | RenderError) -> int:
    return _OVERHEAD + (0 if isinstance(outcome, RenderError) else sum(len(entry.content) for entry in outcome))
