"""Scripts that only tell something: they can always be written, whatever went wrong."""

from __future__ import annotations

from provisioner.boot.script import ScriptWriter
from provisioner.config.paths import shipped_data
from provisioner.model.boot import Refused
from provisioner.render.environment import Renderer
from tests.support import resolved


def test_a_reason_that_ipxe_would_act_on_is_told_all_the_same() -> None:
    template = (shipped_data() / "templates/refused.ipxe.j2").read_text()
    writer = ScriptWriter(Renderer(), lambda _: template, "http://10.0.0.1:8080")
    reason = "overlays/a/rootfs/x.j2:1: '${net0/mac} || shell' holds\na line break"

    script = writer.refused(Refused(resolved.node(), reason, "change it; then wait"), resolved.MAC1)

    assert "echo   Reason  overlays/a/rootfs/x.j2:1: '?{net0/mac} ?? shell' holds?a line break\n" in script
    assert "echo   Do      change it? then wait\n" in script
