"""What templates and fields of one node do wrong is a clear error for that node; every other node boots meanwhile.

A loop without end is in test_edits.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from provisioner.operations import live
from tests.support.daemon import Answer, HeadNode

pytestmark = [
    pytest.mark.integration,
    pytest.mark.root,
    pytest.mark.needs("curl", "ip"),
    # What is stopped after seconds of the processor takes minutes where others have it.
    pytest.mark.timeout(400),
]

BROKEN = "overlays/broken/rootfs/etc/broken.j2"
GROUPS = "groups.d/compute.yaml"
# 1 GB of output, in pieces that are each allowed; and a text that doubles until it has 1 GB.
PRINTED = "{% for a in range(1024) %}{{ 'x' * 1048576 }}{% endfor %}\n"
DOUBLED = """\
{% set n = namespace(x='x' * 1048576) %}{% for a in range(10) %}{% set n.x = n.x ~ n.x %}{% endfor %}{{ n.x }}
"""
SCRIPT = "#!ipxe\necho {{ (node.name ~ '\\n' ~ 'shell') | ipxe }}\n"


def while_another_boots(head: HeadNode, ask: Callable[[], Answer]) -> Answer:
    """What a broken node gets, between the steps of the boot of a good one, which reaches its end."""
    machine = head.machine()
    tokens = machine.start()
    answer = ask()
    assert machine.get(f"/t/{tokens.script}/kernel").status == 200
    sheet = machine.get(f"/t/{tokens.stage1}/sheet").pairs
    assert machine.get(f"/t/{tokens.stage1}/root").status == 200
    assert machine.get(f"/t/{tokens.stage1}/overlay/system").headers["etag"] == f'"{sheet["overlay_sha256"]}"'
    machine.report(machine.report(tokens.stage1, "handover.done").text, "system.report", state="running")
    machine.reaches("ready")
    return answer


def sheet_of_the_broken_node(head: HeadNode) -> Answer:
    return head.broken.get(f"/t/{head.broken.start().stage1}/sheet")


def written(head: HeadNode, name: str, text: str) -> list[str]:
    """Write a file and have it served; what is wrong with it."""
    head.write(name, text)
    answer = live.reload(head.paths)
    assert answer is not None
    return list(answer["problems"])


def test_an_undefined_variable_costs_its_own_node(head: HeadNode) -> None:
    answer = while_another_boots(head, lambda: sheet_of_the_broken_node(head))

    assert answer.status == 422
    assert f"{BROKEN}:2: a node has no field 'nothing'" in answer.text


@pytest.mark.parametrize("template", [PRINTED, DOUBLED], ids=["printed", "doubled"])
def test_an_expansion_of_a_gigabyte_costs_its_own_node(head: HeadNode, template: str) -> None:
    assert written(head, BROKEN, template) == []

    answer = while_another_boots(head, lambda: sheet_of_the_broken_node(head))

    assert answer.status == 422
    assert f"{BROKEN}: the output is larger than 16 MiB" in answer.text


def test_a_line_that_a_script_of_a_site_would_add_costs_its_own_node(head: HeadNode) -> None:
    written(head, "templates/own.ipxe.j2", SCRIPT)
    groups = (head.paths.site / GROUPS).read_text()
    assert written(head, GROUPS, groups.replace("  broken:\n", "  broken:\n    script: own\n")) == []

    answer = while_another_boots(head, lambda: head.broken.get(f"/boot/{head.broken.mac}"))

    # The firmware can only be told by a script: it says why, and asks again.
    assert answer.text.startswith("#!ipxe\n")
    assert "shell" not in answer.text.splitlines()
    assert "templates/own.ipxe.j2:2: " in answer.text
    assert "/kernel" not in answer.text


def test_a_line_break_in_a_field_that_the_script_prints_is_refused_with_its_place(head: HeadNode) -> None:
    groups = (head.paths.site / GROUPS).read_text()
    bad = groups.replace("args: [console=ttyS0]", 'args: ["console=ttyS0\\nshell"]')

    (problem,) = written(head, GROUPS, bad)
    answer = while_another_boots(head, lambda: head.broken.get(f"/boot/{head.broken.mac}"))

    assert problem.startswith(f"{GROUPS}:5:")
    assert "shell" not in answer.text.splitlines()
    assert problem.splitlines()[0] in head.prov("status")
