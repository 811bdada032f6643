"""What an inventory answers."""

from __future__ import annotations

from provisioner.model.inventory import Inventory, Unit, User

EMPTY = Inventory(
    os={},
    kernels=(),
    init=None,
    units=(),
    users=(),
    groups=(),
    network=(),
    services=(),
    package_manager=None,
    packages=(),
    texts={},
)


def test_an_instance_is_known_by_its_template() -> None:
    template = Unit(name="getty@.service", state="enabled", wanted_by=("getty.target",))
    known = EMPTY.model_copy(update={"units": (template,)})

    assert known.unit("getty@tty1.service") == template
    assert known.unit("getty.service") is None


def test_the_first_line_of_a_user_counts() -> None:
    users = tuple(User(name="a", uid=uid, gid=1, home="/", shell="/bin/sh") for uid in (7, 8))

    assert EMPTY.model_copy(update={"users": users}).user_by_name["a"].uid == 7


def test_what_a_later_version_adds_is_left_alone() -> None:
    record = {**EMPTY.model_dump(mode="json"), "later": True}

    assert Inventory.model_validate(record) == EMPTY
