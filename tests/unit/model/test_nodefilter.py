"""Filters on what is known of a node."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.model.nodefilter import FilterError, Record, parse, parse_all

FIELDS = {"name", "image", "groups", "tags", "interfaces", "kernel", "root", "serial", "disks", "secure", "note"}

NODE = {
    "name": "n001",
    "image": "rocky-9",
    "groups": ["compute", "gpu"],
    "tags": {"rack": "r1", "room.row": "b", "empty": "", "slots": "12", "depth": -2.5},
    "interfaces": {
        "eth0": {"mac": "52:54:00:aa:00:01", "ip": "10.0.0.1/16", "ip6": "fd00::1/64", "mtu": 9000},
        "eth0.100": {"mac": None, "ip": "10.9.0.1/24", "mtu": 1500},
    },
    "kernel": {"args": ["console=ttyS0,115200", "quiet"]},
    "root": {"kind": "overlay"},
    "serial": None,
    "disks": [{"device": "/dev/sda", "parts": []}, {"device": "/dev/sdb", "parts": ["boot"]}],
    "secure": True,
}


def outcome(expression: str, record: Record) -> bool | FilterError:
    try:
        return parse(expression, {"tags"}).matches(record)
    except FilterError as error:
        return error


def refusal(expression: str) -> FilterError:
    with pytest.raises(FilterError) as caught:
        parse(expression, FIELDS)
    return caught.value


@pytest.mark.parametrize(
    "expression",
    [
        "image=rocky-9",
        " image = rocky-9 ",
        "image=debian-12,rocky-9",
        "image = debian-12 , rocky-9",
        "image!=rocky-8",
        "image!=rocky-8,debian-12",
        "image~rocky-*",
        "image~debian*,rocky-[89]",
        "image!~debian*",
        "groups=gpu",
        "groups!=login",
        "groups~g*",
        "tags=rack",
        'tags."room.row"=b',
        'interfaces."eth0.100".mtu=1500',
        '!interfaces."eth0.100".mac',
        "tags.rack=r1",
        "tags.room.row=b",
        "tags.slots>9",
        "tags.depth<=-2.5",
        "tags.empty",
        "interfaces=eth0.100",
        "interfaces.eth0.mtu>=9000",
        "interfaces.eth0.100.mtu<9000",
        "interfaces.*.mtu<9000",
        "interfaces.*.mtu=9000",
        "!interfaces.eth0.100.mac",
        "interfaces.*.mac",
        "kernel.args=quiet",
        r"kernel.args=console=ttyS0\,115200",
        "kernel.args~console=*",
        "disks.*.device=/dev/sdb",
        "disks.*.parts=boot",
        "secure=true",
        "secure!=false",
        "!serial",
        "serial!=5",
        "serial!~*",
        "!tags.row",
        "!image.name",
        "!note",
    ],
)
def test_a_condition_that_holds(expression: str) -> None:
    assert parse(expression, FIELDS).matches(NODE)


@pytest.mark.parametrize(
    "expression",
    [
        "image=rocky",
        "image=Rocky-9",
        "image!=rocky-9,debian-12",
        "image!~rocky*",
        "groups=comp",
        "groups!=compute",
        "!groups",
        "tags.rack.x=r1",
        "tags.row=b",
        "tags.rack>0",
        "tags.slots>12",
        "secure>0",
        "serial",
        "serial~*",
        "serial<1",
        "secure=True",
        "kernel.args=console=ttyS0",
        "disks.device=/dev/sda",
        "disks.*.size",
        "interfaces.eth1",
        "note=*",
    ],
)
def test_a_condition_that_does_not_hold(expression: str) -> None:
    assert not parse(expression, FIELDS).matches(NODE)


@pytest.mark.parametrize("spelling", ["52:54:00:aa:00:01", "52-54-00-AA-00-01", "5254.00aa.0001", "525400AA0001"])
def test_a_mac_is_equal_in_every_spelling(spelling: str) -> None:
    assert parse(f"interfaces.*.mac={spelling}", FIELDS).matches(NODE)
    assert not parse(f"interfaces.*.mac!={spelling}", FIELDS).matches(NODE)
    assert parse(f"serial={spelling}", FIELDS).matches({"serial": "52:54:00:AA:00:01"})


def test_a_pattern_for_macs_does_not_mind_case_and_hyphens() -> None:
    assert parse("interfaces.*.mac~52-54-00-AA-*", FIELDS).matches(NODE)
    assert not parse("interfaces.*.mac~52-54-00-AB-*", FIELDS).matches(NODE)


@pytest.mark.parametrize("address", ["10.0.0.1", "10.0.0.1/16", "fd00::1", "fd00:0:0::1", "FD00::1/64"])
def test_an_address_is_equal_to_itself_with_a_prefix_length(address: str) -> None:
    assert parse(f"interfaces.eth0={address}", FIELDS).matches(
        {"interfaces": {"eth0": ["10.0.0.1/16", "fd00::1/64"]}}
    )


@pytest.mark.parametrize("address", ["10.0.0.1/24", "10.0.0.0/16", "10.0.0.11", "fd00::1/48", "10.0.0.1/"])
def test_another_address_or_prefix_length_is_not_equal(address: str) -> None:
    assert not parse(f"interfaces.*.ip={address}", FIELDS).matches(NODE)


def test_a_slash_means_a_prefix_length_in_addresses_only() -> None:
    assert not parse("image=a", FIELDS).matches({"image": "a/16"})


@pytest.mark.parametrize("field", ["groups", "tags", "interfaces"])
def test_what_holds_nothing_is_not_set(field: str) -> None:
    assert parse(f"!{field}", FIELDS).matches({field: [], "tags": {}, "interfaces": {}})


def test_false_is_set() -> None:
    assert parse("secure", FIELDS).matches({"secure": False})


@pytest.mark.parametrize(
    ("expression", "reason", "offset"),
    [
        ("", "name of a field is missing", 0),
        ("=rocky", "name of a field is missing", 0),
        ("!", "name of a field is missing", 1),
        (" imgae=x", "did you mean image?", 1),
        ("zzz=x", "there are disks, groups, image", 0),
        ("*.mac=x", "there is no field '*'", 0),
        (".image=x", "there is no field ''", 0),
        ("tags..rack=x", "a step of the path is empty", 5),
        ("tags.=x", "a step of the path is empty", 5),
        ("tags" + ".a" * 16, "at most 16 steps", 0),
        ("image rocky", "expected one of", 6),
        ("groups!compute", "expected one of", 6),
        ("image==rocky", "one = is enough", 6),
        ("image=", "a value is missing", 6),
        ("image=a,,b", "a value is missing", 8),
        ("image=a,", "a value is missing", 8),
        ("image~,a", "a value is missing", 6),
        ("!image=rocky", "'!' in front", 0),
        ("tags.slots<many", "compares with one number", 11),
        ("tags.slots<1,2", "compares with one number", 11),
        ("tags.slots<nan", "compares with one number", 11),
        ("image=" + "x" * 4096, "longer than 4096", 4096),
    ],
)
def test_what_is_no_filter_is_refused_at_the_character(expression: str, reason: str, offset: int) -> None:
    error = refusal(expression)

    assert reason in error.reason
    assert error.offset == offset
    assert "is not a filter" in str(error)


def test_several_expressions_have_to_hold_together() -> None:
    assert parse_all(["image=rocky-9", "tags.rack=r1"], FIELDS).matches(NODE)
    assert not parse_all(["image=rocky-9", "tags.rack=r2"], FIELDS).matches(NODE)


def test_without_expressions_every_node_matches() -> None:
    assert parse_all([], FIELDS).matches({})


def test_the_first_wrong_expression_of_several_is_named() -> None:
    with pytest.raises(FilterError) as caught:
        parse_all(["image=a", "imgae=b", "nmae=c"], FIELDS)

    assert caught.value.text == "imgae=b"


values = st.text(alphabet="abz019-._", min_size=1, max_size=8)


@given(values, st.lists(values, min_size=1, max_size=4))
def test_equality_is_membership_of_the_listed_values(actual: str, wanted: list[str]) -> None:
    record = {"image": actual}
    listed = ",".join(wanted)

    assert parse(f"image={listed}", FIELDS).matches(record) is (actual in wanted)
    assert parse(f"image!={listed}", FIELDS).matches(record) is (actual not in wanted)


@given(values, st.text(alphabet="abz*?[]!-.", min_size=1, max_size=8))
def test_patterns_are_those_of_the_shell(actual: str, pattern: str) -> None:
    expected = fnmatchcase(actual, pattern)

    assert parse(f"image~{pattern}", FIELDS).matches({"image": actual}) is expected
    assert parse(f"image!~{pattern}", FIELDS).matches({"image": actual}) is not expected


@given(st.integers(-1000, 1000), st.integers(-1000, 1000))
def test_numbers_compare_as_numbers(actual: int, limit: int) -> None:
    for record in ({"serial": actual}, {"serial": str(actual)}, {"serial": float(actual)}):
        assert parse(f"serial<{limit}", FIELDS).matches(record) is (actual < limit)
        assert parse(f"serial>={limit}", FIELDS).matches(record) is (actual >= limit)


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
)
expressions = st.builds(
    "{}{}{}{}{}".format,
    st.sampled_from(["", "!", " "]),
    st.sampled_from(["tags", "tags.a", "tags.*", "tags.*.b", "tags.a.b.c", "tagz"]),
    st.sampled_from(["=", "!=", "~", "!~", "<", ">=", "", "=="]),
    st.text(alphabet="ab1,*[]\\. ", max_size=5),
    st.sampled_from(["", " "]),
)


@given(expressions | st.text(max_size=20), plain)
def test_any_text_is_a_filter_for_any_record_or_an_error_inside_of_it(expression: str, record: object) -> None:
    found = outcome(expression, {"tags": record})

    if isinstance(found, FilterError):
        assert 0 <= found.offset <= len(expression)
        assert found.pointed().count("\n") == 2
    else:
        assert found in {True, False}
