"""Fields and values as people type them."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.model.written import Group
from provisioner.registry.field import Assignment, FieldError, dotted, parse_assignment, parse_path, paths_of


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("kernel.args", ("kernel", "args")),
        ("tags.rack", ("tags", "rack")),
        ("tags.a.b", ("tags", "a.b")),
        ("tags", ("tags",)),
        ('interfaces."bond0.5".ip', ("interfaces", "bond0.5", "ip")),
        ("interfaces.bond0.5.ip", ("interfaces", "bond0.5", "ip")),
        ("interfaces.bond0.5", ("interfaces", "bond0.5")),
        ("interfaces.eth0.tags.x.y", ("interfaces", "eth0", "tags", "x.y")),
        ("disks./dev/sda.partitions.swap.size", ("disks", "/dev/sda", "partitions", "swap", "size")),
        ('disks."/dev/a.b".wipe', ("disks", "/dev/a.b", "wipe")),
        ("resources.a.b", ("resources", "a", "b")),
        ('resources."a.b".c', ("resources", "a.b", "c")),
        ("~image", ("~image",)),
        ("interfaces.eth0.~ip", ("interfaces", "eth0", "~ip")),
    ],
)
def test_a_path_follows_the_model(text: str, path: tuple[str, ...]) -> None:
    assert parse_path(text) == path
    assert parse_path(dotted(path)) == path


@pytest.mark.parametrize(
    ("text", "reason", "column", "hint"),
    [
        ("imge", "there is no field 'imge'", 0, "did you mean image?"),
        ("mac", "there is no field 'mac'", 0, "did you mean interfaces.NAME.mac or bmc.mac?"),
        (
            "interfaces.eth0.mtuu",
            "there is no field 'mtuu' of interfaces.eth0",
            16,
            "did you mean interfaces.eth0.mtu?",
        ),
        ("kernel.args.x", "kernel.args holds no further fields", 11, None),
        ("kernel..args", "the name of a field is missing", 7, None),
        ("", "the name of a field is missing", 0, None),
        ('tags."a', "a quote is not closed", 5, None),
        ('tags."a"b', "expected a dot here", 8, None),
    ],
)
def test_a_mistake_in_a_path_is_pointed_at(text: str, reason: str, column: int, hint: str | None) -> None:
    with pytest.raises(FieldError) as caught:
        parse_path(text)

    assert caught.value.message == f"{reason}\n  {text}\n  {' ' * column}^"
    assert caught.value.hint == hint
    assert caught.value.reason == reason


def test_a_field_that_only_nodes_have_is_refused_for_groups() -> None:
    with pytest.raises(FieldError) as caught:
        parse_path("uuid", Group)

    assert caught.value.hint == "only nodes have uuid, because it is about one machine"
    assert "uuid" in paths_of()
    assert "uuid" not in paths_of(Group)


def test_all_fields_can_be_listed_with_words_for_the_keys_of_maps() -> None:
    assert {
        "groups",
        "kernel.args",
        "tags.NAME",
        "resources.NAME",
        "interfaces.NAME.mtu",
        "interfaces.NAME.bond.members",
        "disks.DEVICE.partitions.NAME.size",
        "bmc.password",
    } <= set(paths_of())
    assert not any("removed" in path for path in paths_of())


@pytest.mark.parametrize("path", [path for path in paths_of() if "NAME" not in path and "DEVICE" not in path])
def test_every_listed_field_is_one(path: str) -> None:
    assert dotted(parse_path(path)) == path


@pytest.mark.parametrize(
    ("text", "operator", "value"),
    [
        ("image=rocky-9@3", "=", "rocky-9@3"),
        ("kernel.version=5.10", "=", "5.10"),
        ("interfaces.eth0.mtu=9000", "=", 9000),
        ("interfaces.eth0.onboot=no", "=", False),
        ("tags.rack=", "=", ""),
        ("tags.note=a=b, c: #d", "=", "a=b, c: #d"),
        ("groups=a,b", "=", ["a", "b"]),
        ("groups=[a, ~b]", "=", ["a", "~b"]),
        ("groups+=a", "+=", ["a"]),
        ("groups-=a,b", "-=", ["a", "b"]),
        ("kernel.args=console=ttyS0,115200n8 quiet", "=", ["console=ttyS0,115200n8", "quiet"]),
        ("interfaces.eth0.routes+={to: default, via: 10.0.0.1}", "+=", [{"to": "default", "via": "10.0.0.1"}]),
        ("tags={rack: r1, level: 3}", "=", {"rack": "r1", "level": "3"}),
        ("resources.slurm.cores=64", "=", "64"),
        ("resources.list=[a, 1]", "=", ["a", "1"]),
    ],
)
def test_a_value_is_read_as_its_field_wants_it(text: str, operator: str, value: object) -> None:
    assert (parse_assignment(text).operator, parse_assignment(text).value) == (operator, value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image", "expected FIELD=VALUE"),
        ("=x", "expected FIELD=VALUE"),
        ("image=a b", "image: 'a b' is not an image"),
        ("interfaces.eth0.mtu=x", "interfaces.eth0.mtu: 'x' should be"),
        ("interfaces.eth0.routes=[{to: default, vi: 10.0.0.1}]", "interfaces.eth0.routes: unknown key 'vi'"),
        ("image+=x", "+= is for lists, and image is none"),
        ("tags=x", "tags is a map"),
        ("tags={a", "not valid YAML"),
        ("kernel.args=", "expected items of a list"),
        ("groups=a,,b", "groups: '' is not a name"),
        ("~image=x", "removes what is inherited, so it has no value"),
        ("interfaces.lo.ip=10.0.0.1", "is not an interface"),
    ],
)
def test_a_value_that_a_field_cannot_have_is_refused_in_words_of_the_command_line(text: str, message: str) -> None:
    with pytest.raises(FieldError) as caught:
        parse_assignment(text)

    assert message in caught.value.message
    assert "line 1" not in caught.value.message


def test_an_empty_value_is_refused_with_the_command_that_clears_it() -> None:
    with pytest.raises(FieldError) as caught:
        parse_assignment("image=")

    assert caught.value.hint == "to clear it: unset image"


steps = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)


@given(st.lists(steps, min_size=1, max_size=4).map(lambda below: ("resources", *below)))
def test_a_printed_path_is_read_back(path: tuple[str, ...]) -> None:
    assert parse_path(dotted(path)) == path


@given(st.from_regex(r"[a-z][a-z=.+-]{0,5}[a-z]", fullmatch=True), st.text("ab=+-,. {[", max_size=6))
def test_an_assignment_is_cut_at_the_operator_outside_of_quotes(key: str, value: str) -> None:
    quoted = dotted(["resources", key])

    assert parse_path(quoted) == ("resources", key)
    if value.lstrip()[:1] not in {"{", "["}:
        assert parse_assignment(f"{quoted}={value}") == Assignment(("resources", key), "=", value)


@given(st.text(max_size=20))
def test_any_text_is_an_assignment_or_a_field_error(text: str) -> None:
    for read in (parse_assignment, parse_path):
        with suppress(FieldError):
            assert read(text)
