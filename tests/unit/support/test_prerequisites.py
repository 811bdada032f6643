from __future__ import annotations

import pytest

from tests.support.prerequisites import demand_programs, package_of


def test_a_missing_program_fails_with_the_command_that_installs_it() -> None:
    with pytest.raises(pytest.fail.Exception, match="not installed: no-such-program"):
        demand_programs(["ls", "no-such-program"])


def test_the_list_of_packages_knows_which_one_brings_a_program() -> None:
    assert package_of("mksquashfs") == "squashfs-tools"
