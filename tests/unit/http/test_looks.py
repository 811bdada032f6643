"""What the daemon remembers of runtime overlays, for each node."""

from __future__ import annotations

from provisioner.http.looks import Look, Looks

OLD, NEW = Look("r1", "demo@1", "d1", 5.0), Look("r2", "demo@1", "d2", 7.0)


def test_a_look_holds_for_its_revision_and_generation_only() -> None:
    looks = Looks()
    looks.add("n1", OLD)

    assert looks.find("n1", "r1", "demo@1") == OLD
    assert looks.find("n1", "r2", "demo@1") is None
    assert looks.find("n1", "r1", "demo@2") is None
    assert looks.find("n2", "r1", "demo@1") is None


def test_nodes_that_asked_at_an_earlier_revision_only_are_behind() -> None:
    looks = Looks()
    looks.add("n1", OLD)
    looks.add("n2", OLD)
    looks.add("n2", NEW)

    assert looks.told("r2") == {"looked": {"n2": ("d2", 7.0)}, "behind": ["n1"]}
