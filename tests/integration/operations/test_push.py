"""A push needs a daemon that the nodes wait for."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.errors import UnavailableError
from provisioner.operations.push import push

pytestmark = pytest.mark.integration


def test_without_a_daemon_a_push_says_so(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="the daemon does not run") as told:
        push(Paths.below(tmp_path), ["n001"])

    assert told.value.hint == "start it with: prov serve"
