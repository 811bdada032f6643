"""Vagrant's head node is set up by the commands of the page that people read."""

from __future__ import annotations

import re

import pytest

from provisioner.host.run import run
from tests.support.manual import Page
from tests.support.realsite import CHECKOUT

pytestmark = [pytest.mark.integration, pytest.mark.needs("bash")]

PAGE = CHECKOUT / "docs" / "first-node.md"
SCRIPT = CHECKOUT / "packaging" / "vagrant" / "provision.sh"


def test_the_script_types_every_command_of_the_page_and_no_other() -> None:
    typed = run(["bash", "-c", f"source {SCRIPT}; commands {PAGE}"])

    assert typed == "".join(f"{command.text}\n" for command in Page.read(CHECKOUT, PAGE).commands)


def test_the_page_has_the_addresses_of_the_vagrantfile() -> None:
    page, vagrantfile = PAGE.read_text(), (CHECKOUT / "Vagrantfile").read_text()

    wanted = re.findall(r'HEAD\s+= "([\d.]+)"|mac: "([\d:]+)"', vagrantfile)
    assert len(wanted) == 3
    assert all((head or mac) in page for head, mac in wanted)
