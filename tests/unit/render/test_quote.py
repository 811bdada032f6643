"""Filters for the files of system programs: a value stays one value, or is refused."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.render import quote
from provisioner.render.escape import UnsafeValueError
from tests.support import resolved
from tests.support.richnode import rich

ONE_LINE = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=20)


@pytest.mark.parametrize("text", ["../../etc/shadow", "/etc/shadow", "Europe/Berlin\n", "", "a b", "a/b/c/d"])
def test_what_is_no_time_zone_is_refused(text: str) -> None:
    with pytest.raises(UnsafeValueError, match=r"not a time zone|line break"):
        quote.zone(text)


@pytest.mark.parametrize("text", ["-x", "a b", "a;b", "a,b", 'a"b', "", "${x}"])
def test_what_is_no_host_is_refused(text: str) -> None:
    with pytest.raises(UnsafeValueError, match="not a host name"):
        quote.host(text)


@pytest.mark.parametrize("text", ["linux,bootable", "a b", 'x"', "a;b", "a=b"])
def test_a_field_of_sfdisk_cannot_bring_another_one(text: str) -> None:
    with pytest.raises(UnsafeValueError, match="sfdisk"):
        quote.sfdisk(text)


def test_agetty_is_told_nothing_by_a_backslash() -> None:
    assert quote.issue(r"a\nb") == r"a\\nb"


@given(ONE_LINE.filter(lambda text: bool(text) and not text.startswith("#")))
def test_a_field_of_fstab_is_one_field_that_reads_back(text: str) -> None:
    field = quote.fstab(text)

    assert " " not in field
    assert re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), field) == text


@pytest.mark.parametrize("text", ["", "#dev", "a\nb"])
def test_what_fstab_cannot_hold_is_refused(text: str) -> None:
    with pytest.raises(UnsafeValueError):
        quote.fstab(text)


@given(ONE_LINE)
def test_a_unit_name_is_plain_and_reads_back(text: str) -> None:
    if not text:
        return
    name = quote.systemd_name(text)
    plain = re.sub(r"\\x([0-9a-f]{2})", lambda match: chr(int(match[1], 16)), name.replace("-", "/"))

    assert re.fullmatch(r"[A-Za-z0-9:_.\\-]+", name)
    assert not name.startswith(".")
    assert plain.encode("latin-1") == text.encode()


@pytest.mark.parametrize("path", ["", "srv", "/a/../b", "/a/./b"])
def test_a_path_that_is_not_absolute_and_normal_names_no_unit(path: str) -> None:
    with pytest.raises(UnsafeValueError, match="not an absolute path"):
        quote.systemd_path(path)


def test_specifiers_and_variables_lose_their_meaning_in_units() -> None:
    assert quote.systemd_value("100%") == "100%%"
    assert quote.systemd_word('a "b" $HOME %h \\') == '"a \\"b\\" $$HOME %%h \\\\"'


@pytest.mark.parametrize("text", ["", " a", "a ", "a\\"])
def test_a_setting_that_systemd_would_change_is_refused(text: str) -> None:
    with pytest.raises(UnsafeValueError, match="unit's setting"):
        quote.systemd_value(text)


def test_lines_of_a_tmpfiles_argument_stay_in_one_line() -> None:
    assert quote.tmpfiles("a\nb\\n %h") == "a\\nb\\\\n %%h"
    with pytest.raises(UnsafeValueError, match="blank"):
        quote.tmpfiles(" a")
    with pytest.raises(UnsafeValueError, match="control"):
        quote.tmpfiles("a\rb")


@pytest.mark.parametrize(
    "text", ["/bin/x # y", "!/bin/x", "/bin/x\\", "bin/x", "ALL, !x", "(root) /x", '/x "', ""]
)
def test_what_sudo_would_read_otherwise_is_refused(text: str) -> None:
    with pytest.raises(UnsafeValueError):
        quote.sudoers(text)


def test_separators_of_sudoers_are_escaped() -> None:
    assert quote.sudoers("/bin/mount -o a=b,c:d") == r"/bin/mount -o a\=b\,c\:d"


def test_genders_leave_out_what_the_format_cannot_hold_and_say_nothing_twice() -> None:
    node = resolved.node(groups=("compute", "rack"), tags={"rack": "r1", "note": "two words", "a": "x,y", "b": ""})

    assert quote.genders(node) == "compute,rack=r1"


def test_the_c_library_is_told_three_name_servers_and_none_twice() -> None:
    first, second, *others = (resolved.interface(None, host).ip for host in range(1, 6))
    assert first
    assert second
    servers = [first.ip, second.ip, *(each.ip for each in others if each)]

    assert quote.resolver_order([second.ip], servers) == [second.ip, first.ip, servers[2]]


def test_json_sorts_keys_and_hides_secrets() -> None:
    text = quote.json({"b": rich(), "a": (1, None, True)})

    assert list(json.loads(text)) == ["a", "b"]
    assert json.loads(text)["b"]["bmc"]["password"] == "********"


def test_a_resource_of_another_shape_is_refused_with_the_name_of_the_field() -> None:
    with pytest.raises(UnsafeValueError, match=r"^resources\.users\.alice\.uid: .* not 'x'$"):
        quote.resource({"users": {"alice": {"uid": "x"}}}, "users")
