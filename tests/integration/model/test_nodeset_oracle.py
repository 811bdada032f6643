"""Our reading of node sets is that of the `nodeset` program, and nothing of its configuration reaches us."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from provisioner.model.nodeset import NodesetError, expand

pytestmark = pytest.mark.integration

CHECKOUT = Path(__file__).resolve().parents[3]
NODESET = Path(sys.executable).with_name("nodeset")

SITE = {
    "compute": "n[001-008]",
    "gpu": "n[007-012]",
    "login": "login[1-2]",
    "all": "n[001-016],login[1-2],r1n1,r1n2,r2n1",
}
RACK = {"r1": "n[001-004]", "r2": "n[005-008]", "r3": "n[009-016]", "all": "n[001-016]"}

EXPRESSIONS = """
n001
n[001-003,010]
n[1-9/2]
n[1-10/3],m1
n[08-11]
n[8-11]
n9,n09,n10,n010
n[1-3],n[01-03]
r[1-2]n[1-3]
r[1-2]n[01-03]-ib[0-1]
a[1-2]b
1[2-4]
n1[08-11]
n[8-11]0
n0[1-3]x
n[1-5]!n3
n[1-5]!n[2-4]!n9
n[1-5]&n[4-9]
n[1-5]^n[4-9]
n[1-5],m[1-2]&n[2-3]
n[1-9]!n[1-3],n2
r[1-3]n[1-3]!r2n[1-3]
r[1-3]n[1-3]^r2n[1-5/2]
b2,a10,a2,a1
 n1 , n2
@compute
@compute!@rack:r1
@compute&@gpu
@compute^@gpu
@gpu&n[001-008]
@rack:r[1-2]
@rack:r[1-3]!@rack:r2
n001,@login
@login,@rack:r1&n[001-002]
@*
@*!@rack:*
@rack:*
@all&@gpu
@*!n*
n00?
n01*
login?,n0[01-03]
n00[1-2]*
*1!r*
r?n1
*[1-2]&r*
@compute!n00[1-3]!@rack:r2,login1
""".strip("\n").splitlines()

REFUSED = [
    "n[1-3",
    "n1]",
    "n[3-1]",
    "n[1-9/0]",
    "n[01-3]",
    "n1,,n2",
    "@compute,!n3",
    "n1!",
    "n[0-9][0-9]",
    "n[1-3/2]0",
]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    folder = tmp_path_factory.mktemp("clustershell")
    (folder / "groups.conf").write_text("[Main]\ndefault: site\nautodir: $CFGDIR/groups.d\n")
    (folder / "groups.d").mkdir()
    for name, groups in (("site", SITE), ("rack", RACK)):
        lines = "".join(f"  {group}: '{nodes}'\n" for group, nodes in groups.items())
        (folder / "groups.d" / f"{name}.yaml").write_text(f"{name}:\n{lines}")
    return {**os.environ, "CLUSTERSHELL_CFGDIR": str(folder)}


def members(source: str, name: str) -> Iterable[str]:
    groups = {"": SITE, "rack": RACK}[source]
    return expand(groups["all" if name == "*" else name])


def run_nodeset(expression: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [NODESET, "--expand", expression], check=False, capture_output=True, text=True, env=environment
    )


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_node_set_is_what_nodeset_says(expression: str, environment: Mapping[str, str]) -> None:
    theirs = run_nodeset(expression, environment)

    assert theirs.stderr == ""
    # In any order: that of names with two numbers depends on how ClusterShell happens to fold them.
    assert sorted(expand(expression, members)) == sorted(theirs.stdout.split())


@pytest.mark.parametrize("expression", REFUSED)
def test_what_nodeset_refuses_is_refused(expression: str, environment: Mapping[str, str]) -> None:
    assert run_nodeset(expression, environment).returncode != 0
    with pytest.raises(NodesetError):
        expand(expression, members)


TRAP = """[Main]
default: trap
[trap]
map: touch {witness}; echo n1
mapall: touch {witness}; echo "compute: n1"
all: touch {witness}; echo n1
list: touch {witness}; echo compute
reverse: touch {witness}; echo compute
"""

PROGRAM = """
from provisioner.model.nodeset import NodesetError, expand, fold
def members(source, name):
    if name == "unknown":
        raise LookupError("unknown")
    return ["n1", "n2"]
for text in ("@compute", "@trap:compute", "@*", "n*", "@rack:*", "@unknown", "@@trap", "n[1-2]"):
    for known in (members, None):
        try:
            expand(text, known)
        except NodesetError:
            pass
print(fold(f"r{rack}n{node}" for rack in (1, 2) for node in (1, 2)))
"""


@pytest.mark.parametrize("variable", ["CLUSTERSHELL_CFGDIR", "XDG_CONFIG_HOME"])
def test_no_command_of_a_clustershell_configuration_runs_and_no_setting_counts(
    variable: str, tmp_path: Path
) -> None:
    witness = tmp_path / "witness"
    folder = tmp_path / "clustershell"
    folder.mkdir()
    (folder / "groups.conf").write_text(TRAP.format(witness=witness))
    (folder / "defaults.conf").write_text("[nodeset]\nfold_axis: 1\n")
    environment = {**os.environ, variable: str(folder if variable == "CLUSTERSHELL_CFGDIR" else tmp_path)}

    # The trap is a real one: ClusterShell's own program falls into it.
    assert run_nodeset("@compute", environment).stdout == "n1\n"
    assert witness.exists()
    witness.unlink()
    ours = subprocess.run(
        [sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True, env=environment, cwd=CHECKOUT
    )

    assert not witness.exists()
    assert ours.stdout == "r[1-2]n[1-2]\n"
