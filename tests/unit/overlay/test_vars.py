"""The variables of templates: which are read, of what type, and what they mean."""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Literal

import pytest

from provisioner.config.paths import Paths
from provisioner.operations.overlayvars import overlay_variables
from provisioner.overlay.context import Context, Identity, Surroundings
from provisioner.overlay.library import Library
from provisioner.overlay.memo import RenderMemo
from provisioner.overlay.source import WrittenFiles, overlay_names
from provisioner.overlay.vars import TYPES, Variable, in_words, variables
from provisioner.registry.collect import FileKind, SourceFile
from provisioner.render.environment import Renderer
from provisioner.trust.sitekey import SiteKey
from tests.support import overlays, resolved


def read(template: str, **meanings: str) -> dict[str, Variable]:
    files = {"overlays/a/rootfs/etc/x.j2": SourceFile(FileKind.FILE, 0o644, template.encode())}
    pieces = Library(WrittenFiles(files), RenderMemo(Renderer())).layer("a").pieces
    found = variables(pieces, {name.replace("__", "."): text for name, text in meanings.items()})
    return {each.name: each for each in found}


def test_every_variable_that_templates_get_has_a_type() -> None:
    context = Surroundings(resolved.snapshot(), Identity(SiteKey(b"k" * 32))).context(resolved.node())

    assert isinstance(context, Context)
    assert set(TYPES) == set(context)


@pytest.mark.parametrize(
    ("expression", "name", "kind"),
    [
        ("node.name", "node.name", "text"),
        ("node.fqdn", "node.fqdn", "text"),
        ("node.boot_interface.ip", "node.boot_interface.ip", "IPv4 address/prefix or nothing"),
        ("node.tags['rack']", "node.tags.rack", "text"),
        ("node.tags.get('rack')", "node.tags", "map of text"),
        ("node.interfaces | length", "node.interfaces", "list of Interface"),
        ("node.resources.users", "node.resources.users", "anything"),
        ("node.root.kind", "node.root.kind", "overlay or tmpfs or single or stream or disk"),
        ("node.discoverable", "node.discoverable", "yes or no"),
        ("head.address", "head.address", "IPv4 address or IPv6 address"),
        ("ssh.host_private_key", "ssh.host_private_key", "text"),
        ("host_trust.patterns", "host_trust.patterns", "text"),
        ("cluster", "cluster", "text"),
        ("node.mystery", "node", "Node"),
    ],
)
def test_a_variable_has_the_type_of_its_model(expression: str, name: str, kind: str) -> None:
    found = read("{{ " + expression + " }}")

    assert {key: each.type for key, each in found.items()} == {name: kind}
    assert found[name].used_by == ("etc/x.j2",)


def test_what_a_template_sets_itself_is_no_variable_of_it() -> None:
    assert list(read("{% if cluster %}{% set own = 1 %}{% endif %}{{ own }}")) == ["cluster"]


def test_the_meaning_is_that_of_the_overlay() -> None:
    found = read("{{ node.tags.get('rack') }}", tags__rack="where it stands", site__domain="never read")

    assert found["node.tags.rack"] == Variable("node.tags.rack", "text", "where it stands", ("etc/x.j2",))
    assert found["site.domain"].used_by == ()


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (list[str], "list of text"),
        (dict[str, int], "map of number"),
        (tuple[IPv4Address, ...] | None, "list of IPv4 address or nothing"),
        (Literal["a", "b"], "a or b"),
        (dict[str, Any], "map of anything"),
        (bool, "yes or no"),
    ],
)
def test_types_are_told_in_words(kind: object, words: str) -> None:
    assert in_words(kind) == words


@pytest.mark.parametrize("name", overlay_names(overlays.shipped(Path("/nonexistent"))))
def test_every_variable_of_a_shipped_overlay_has_a_known_type(name: str, tmp_path: Path) -> None:
    found = overlay_variables(Paths.below(tmp_path), name)

    unknown = {each.name for each in found if each.type == "not known"}
    assert unknown == set()
