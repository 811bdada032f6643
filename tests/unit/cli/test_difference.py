"""How differences are printed, and what is asked."""

from __future__ import annotations

import pytest

from provisioner.cli.difference import question, write_differences
from provisioner.operations.difference import Difference, FieldChange, Kind, Spread

NOTHING = Spread(None, None, 1)


def same(value: object) -> Spread:
    return Spread(value, value, 1)


CHANGED = Difference(
    "node",
    Kind.CHANGED,
    ("n1", "n2", "n3", "n4"),
    (
        FieldChange(
            "kernel.args", Spread(["a"], ["b", "a"], 2), Spread(["a", "q"], ["b", "q"], 2), ("q",), ("a",)
        ),
        FieldChange("interfaces.eth0.ip", NOTHING, Spread("10.0.1.1/16", "10.0.1.4/16", 4)),
        FieldChange("tags.rack", Spread("r1", "r2", 2), same("zz")),
        FieldChange("groups", same(["a", "b"]), same(["b", "a"])),
    ),
)
NEW = Difference("node", Kind.NEW, ("n9",), (FieldChange("image", NOTHING, same("rocky-9")),))
GONE = Difference("node", Kind.DELETED, ("m1", "m2"))
RENAMED = Difference("node", Kind.RENAMED, ("k1", "k2"), (), ("n1", "n2"))
GROUP = Difference("group", Kind.CHANGED, ("g",), (FieldChange("image", same("a"), NOTHING),))
SITE = Difference("site", Kind.CHANGED, ("provisioner.yaml",), (FieldChange("cluster", same("a"), same("b")),))


def test_every_kind_of_difference_has_its_block(capsys: pytest.CaptureFixture[str]) -> None:
    write_differences([SITE, GROUP, CHANGED, NEW, RENAMED, GONE], ["nodes.d/n.yaml"])

    assert (
        capsys.readouterr().out
        == """\
change provisioner.yaml
  cluster  a -> b
change group g
  image  a -> -
change n[1-4] (4 nodes)
  kernel.args         +q -a
  interfaces.eth0.ip  - -> 10.0.1.1/16 .. 10.0.1.4/16 (4 values)
  tags.rack           r1 .. r2 -> zz
  groups              a b -> b a
add n9 (1 node)
  image  rocky-9
rename n[1-2] -> k[1-2] (2 nodes)
delete m[1-2] (2 nodes)
"""
    )


def test_a_change_of_the_text_alone_names_the_files(capsys: pytest.CaptureFixture[str]) -> None:
    write_differences([], ["b.yaml", "a.yaml"])

    assert capsys.readouterr().out == "no value changes; written anew: a.yaml b.yaml\n"


@pytest.mark.parametrize(
    ("found", "asked"),
    [
        ([CHANGED], "Change 4 nodes?"),
        ([GONE], "Delete 2 nodes?"),
        ([NEW, NEW, GROUP], "Add 2 nodes and change 1 group?"),
        ([SITE], "Change provisioner.yaml?"),
        ([], "Write 2 files?"),
    ],
)
def test_the_question_counts_what_would_be_done(found: list[Difference], asked: str) -> None:
    assert question(found, ["a", "b"]) == asked
