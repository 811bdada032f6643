"""Records of nodes as exporters read them: a small cluster, and whatever Hypothesis puts into the fields."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from provisioner.exchange.inventory import Inventory

# What ends a word, a line or a string in one language or another.
_CHARACTERS = "ab1 \"'\\\n\r\t,;:=%#${}[]()|&`@*\u2028"
NASTY = st.lists(st.sampled_from(_CHARACTERS), max_size=12).map("".join)
PASSWORD = "not-for-anybody"


def record(name: str, number: int, /, **changes: Any) -> dict[str, Any]:
    """A node with two interfaces and a BMC."""
    return {
        "name": name,
        "domain": "cluster.local",
        "groups": ["base", "compute"],
        "image": "rocky-9",
        "cluster": None,
        "tags": {"rack": "r1"},
        "resources": {},
        "primary": "eth0",
        "interfaces": [
            {"name": "eth0", "network": "provision", "ip": f"10.0.1.{number}/16", "ip6": f"fd00::{number}/64"},
            {"name": "ib0", "network": "fabric", "ip": f"10.1.1.{number}/16", "ip6": None},
        ],
        "bmc": {"driver": "ipmi", "ip": f"10.2.1.{number}/16", "username": "admin", "password": PASSWORD},
        "serial": None,
        "asset": None,
        **changes,
    }


def cluster() -> Inventory:
    """Four nodes: three compute, one of them with GPUs, and a login node without a BMC."""
    slurm = {"CPUs": 64, "Sockets": 2, "CoresPerSocket": 16, "ThreadsPerCore": 2, "RealMemory": 128000}
    batch = {"partitions": {"batch": {"Default": "YES", "MaxTime": "1-00:00:00"}}}
    return Inventory(
        (
            record("n001", 1, resources={"slurm": {**slurm, **batch}}),
            record("n002", 2, resources={"slurm": {**slurm, **batch}}),
            record(
                "n003",
                3,
                groups=["base", "compute", "gpu"],
                tags={"rack": "r2", "note": "{{ 6 * 7 }}"},
                resources={"slurm": {**slurm, "Gres": "gpu:4", "partitions": {**batch["partitions"], "gpu": {}}}},
            ),
            record("login1", 100, groups=["base"], bmc=None, tags={}),
        ),
        {"base": (), "compute": ("base",), "gpu": ("compute",), "empty": ()},
    )


def hostile(*, names: st.SearchStrategy[str] = NASTY) -> st.SearchStrategy[Inventory]:
    """Two decent nodes around one whose fields hold anything."""
    changes = st.fixed_dictionaries(
        {
            "name": names,
            "domain": NASTY,
            "groups": st.lists(NASTY, max_size=2),
            "image": NASTY,
            "tags": st.dictionaries(NASTY, NASTY, max_size=2),
            "resources": st.fixed_dictionaries({"slurm": _slurm}),
            "bmc": st.fixed_dictionaries(
                {"driver": st.just("ipmi"), "ip": NASTY, "username": NASTY, "password": st.just(PASSWORD)}
            ),
            "interfaces": st.just([{"name": "eth0", "network": "x", "ip": "10.0.1.9/16", "ip6": None}]),
        }
    )
    return changes.map(_between)


def _between(changes: dict[str, Any]) -> Inventory:
    middle = record("m", 9, **changes)
    groups = dict.fromkeys((*middle["groups"], "base", "compute"), ())
    return Inventory((record("n001", 1), middle, record("n002", 2)), groups)


_slurm = st.dictionaries(st.sampled_from(["CPUs", "Gres", "Features", "x y"]), NASTY, max_size=2).flatmap(
    lambda said: st.dictionaries(NASTY, st.dictionaries(NASTY, NASTY, max_size=1), max_size=1).map(
        lambda partitions: {**said, "partitions": partitions}
    )
)
