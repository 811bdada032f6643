from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from provisioner.image.accounts import groups, users
from provisioner.model.inventory import Group, User


def test_a_user_has_everything_but_the_password() -> None:
    found = users("munge:$6$salt$hash:998:997:MUNGE:/nonexistent:/usr/sbin/nologin\n")

    assert found == (User(name="munge", uid=998, gid=997, home="/nonexistent", shell="/usr/sbin/nologin"),)


def test_the_members_of_a_group_are_named() -> None:
    assert groups("a:x:1:\nb:x:2:root,munge\n") == (
        Group(name="a", gid=1),
        Group(name="b", gid=2, members=("root", "munge")),
    )


def test_lines_that_are_no_account_are_left_out() -> None:
    lines = ["# remark:x:1:1::/:/bin/sh", "+::::::", "short:x:1", "minus:x:-1:1::/:", "odd:x:\u0661:1::/:", ""]

    assert users("\n".join([*lines, ":x:1:1::/:/bin/sh"])) == ()


def test_a_name_that_moves_the_cursor_is_no_account() -> None:
    assert users("evil\x1b[2J:x:1:1::/:/bin/sh\n") == ()


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    for user in users(text):
        assert f"{user.name}:" in text
    for group in groups(text):
        assert f"{group.name}:" in text
