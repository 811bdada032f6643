"""What keeps overlays from being rendered is known before a node asks: after every edit, without a command."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest

from provisioner.operations import live
from tests.support.daemon import HeadNode, eventually

pytestmark = [
    pytest.mark.integration,
    pytest.mark.root,
    pytest.mark.needs("curl", "ip"),
    pytest.mark.timeout(600),
]

MOTD = "overlays/motd/rootfs/etc/motd.j2"
RACK = "nodes.d/rack1.yaml"


@pytest.fixture
def head(house: HeadNode) -> Iterator[HeadNode]:
    """A head node whose overlays can all be rendered."""
    house.write_site()
    house.write(RACK, (house.paths.site / RACK).read_text().replace(", broken", "").replace(", endless", ""))
    if house.daemon.running:
        live.reload(house.paths)
    else:
        house.daemon.start()
    yield house
    assert "Traceback" not in house.log()


def shows(head: HeadNode, holds: Callable[[Sequence[str]], bool]) -> Sequence[str]:
    """Wait until what `prov status` says of rendering holds, and all is tried."""
    problems: list[str] = []

    def is_said() -> bool:
        found = head.status()["rendering"] or {"problems": [], "is_whole": False}
        problems[:] = found["problems"]
        return bool(found["is_whole"]) and holds(problems)

    # Who looks comes behind everybody else, machines that boot beside these tests too.
    eventually(is_said, patience=240)
    return problems


def test_a_variable_that_an_edit_by_hand_forgot_shows_with_file_line_and_nodes(head: HeadNode) -> None:
    shows(head, lambda said: not said)

    head.write(MOTD, "welcome\n{{ node.tags.colour }}\n")

    said = shows(head, lambda said: MOTD in str(said))
    (problem,) = [each for each in said if MOTD in each]
    assert problem.startswith(f"{MOTD}:2:1: ")
    assert "'colour'" in problem
    assert "(62 nodes: broken,endless,n[001-060])" in problem
    assert problem in head.prov("status")
    eventually(lambda: said in [event.data["problems"] for event in head.events("site.unrenderable")])


def test_its_repair_shows_too(head: HeadNode) -> None:
    head.write(MOTD, "{{ node.tags.colour }}\n")
    shows(head, lambda said: MOTD in str(said))

    head.write(MOTD, "welcome\n")

    shows(head, lambda said: not said)


def test_a_daemon_that_starts_looks_at_what_was_edited_while_it_was_down(head: HeadNode) -> None:
    head.daemon.stop()
    head.write(MOTD, "{{ node.tags.colour }}\n")

    head.daemon.start()

    shows(head, lambda said: MOTD in str(said))
