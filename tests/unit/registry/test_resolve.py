"""Who wins, and where every value comes from."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from provisioner.config.emit import Writable, block
from provisioner.model.resolved import ResolvedNode
from provisioner.model.written import RootKind
from tests.support.site import catalogue_of, examined

IMAGES = catalogue_of("a", "b", "c")


def nodes_of(files: dict[str, str]) -> dict[str, ResolvedNode]:
    site = examined(files, IMAGES)
    assert site.problems == ()
    assert site.loaded is not None
    return {node.name: node for node in site.loaded.nodes}


def places(node: ResolvedNode, key: str) -> list[str]:
    return [str(source) for source in node.provenance[key]]


def test_a_node_that_says_nothing_gets_the_defaults() -> None:
    node = nodes_of({"nodes.d/a.yaml": "nodes: {n1: }\n"})["n1"]

    assert (node.image, node.root.kind, node.script) == (None, RootKind.OVERLAY, "boot")
    assert node.system_overlays == ("hostname", "hosts", "network", "ssh", "agent")
    assert (node.runtime_overlays, node.kernel_args, node.tags) == ((), (), {})
    assert (node.interfaces, node.primary, node.domain) == ((), None, "cluster.local")
    assert node.provenance == {}


def test_of_scalars_the_strongest_wins_and_all_places_are_kept() -> None:
    node = nodes_of(
        {
            "groups.d/g.yaml": "groups:\n  base: {image: a}\n  compute: {groups: [base], image: b}\n",
            "nodes.d/a.yaml": "nodes:\n  n[1-2]: {groups: [compute]}\n  n1: {image: c}\n",
        }
    )["n1"]

    assert node.image == "c"
    assert node.groups == ("base", "compute")
    assert places(node, "image") == [
        "groups.d/g.yaml:2 (group base)",
        "groups.d/g.yaml:3 (group compute)",
        "nodes.d/a.yaml:3 (node n1)",
    ]


def test_lists_append_and_drop_what_is_there_already() -> None:
    node = nodes_of(
        {
            "groups.d/g.yaml": "groups:\n  g: {kernel: {args: [x, y, x]}, overlays: {runtime: [hosts]}}\n",
            "nodes.d/a.yaml": "nodes:\n  n1: {groups: [g], kernel: {args: [z, x]}, overlays: {runtime: [ssh]}}\n",
        }
    )["n1"]

    assert node.kernel_args == ("x", "y", "z")
    assert node.runtime_overlays == ("hosts", "ssh")


def test_an_overlay_is_added_to_the_default_ones() -> None:
    node = nodes_of({"nodes.d/a.yaml": "nodes: {n1: {overlays: {system: [ssh, motd]}}}\n"})["n1"]

    assert node.system_overlays == ("hostname", "hosts", "network", "ssh", "agent", "motd")


def test_maps_merge_by_key() -> None:
    node = nodes_of(
        {
            "groups.d/g.yaml": "groups:\n  g: {tags: {a: x, b: x}, interfaces: {eth0: {network: provision}}}\n",
            "nodes.d/a.yaml": "nodes:\n  n7:\n    groups: [g]\n    tags: {b: y}\n"
            "    interfaces: {eth0: {ip: 10.0.1.1+}, eth0.5: {}}\n",
        }
    )["n7"]

    assert node.tags == {"a": "x", "b": "y"}
    assert [(each.name, str(each.ip)) for each in node.interfaces] == [("eth0", "10.0.1.7/16"), ("eth0.5", "None")]
    assert places(node, "interfaces.eth0.ip") == ["nodes.d/a.yaml:5 (node n7)"]
    assert places(node, "tags.b")[-1] == "nodes.d/a.yaml:4 (node n7)"


def test_files_count_in_byte_order_and_entries_in_their_order() -> None:
    node = nodes_of(
        {
            "nodes.d/b.yaml": "nodes: {n1: {image: c}}\n",
            "nodes.d/B.yaml": "nodes: {n1: {image: b}}\n",
            "nodes.d/a.yaml": "nodes: {n1: {image: a}}\n",
        }
    )["n1"]

    assert node.image == "c"
    assert [place.split(":")[0] for place in places(node, "image")] == [
        "nodes.d/B.yaml",
        "nodes.d/a.yaml",
        "nodes.d/b.yaml",
    ]


def test_the_first_interface_with_a_mac_boots_or_else_the_first_with_an_address() -> None:
    nodes = nodes_of(
        {
            "nodes.d/a.yaml": "nodes:\n"
            "  n1: {interfaces: {a: {ip: 10.0.0.5}, b: {mac: '52:54:00:00:00:01'}}}\n"
            "  n2: {interfaces: {a: {}, b: {ip: 10.0.0.6}}}\n"
        }
    )

    assert (nodes["n1"].primary, nodes["n2"].primary) == ("b", "b")


def test_an_ipv6_address_alone_makes_a_device_the_one_that_boots_where_none_has_another() -> None:
    site = "cluster: c\nnetworks: {x: {cidr: 10.1.0.0/16, cidr6: 'fd00::/64'}}\n"
    written = (
        "nodes:\n"
        "  n1: {interfaces: {a: {}, b: {ip6: 'fd00::5'}}}\n"
        "  n2: {interfaces: {a: {ip6: 'fd00::6'}, b: {ip: 10.1.0.6}}}\n"
    )
    nodes = nodes_of({"provisioner.yaml": site, "nodes.d/a.yaml": written})

    assert (nodes["n1"].primary, nodes["n2"].primary) == ("b", "b")


def test_the_domain_is_that_of_the_network_that_boots() -> None:
    site = "cluster: c\nnetworks:\n  x: {cidr: 10.1.0.0/16}\n  y: {cidr: 10.2.0.0/16, domain: y.local}\n"
    node = nodes_of(
        {
            "provisioner.yaml": site,
            "nodes.d/a.yaml": "nodes: {n1: {interfaces: {e: {network: y, ip: 10.2.0.9}}}}\n",
        }
    )["n1"]

    assert node.fqdn == "n1.y.local"


def test_an_address_needs_a_network_where_there_are_several() -> None:
    site = "cluster: c\nnetworks:\n  x: {cidr: 10.1.0.0/16}\n  y: {cidr: 10.2.0.0/16}\n"
    (problem,) = examined(
        {"provisioner.yaml": site, "nodes.d/a.yaml": "nodes: {n1: {interfaces: {e: {ip: 10.2.0.9}}}}\n"}
    ).problems

    assert problem.message == "10.2.0.9 needs a network: the site has several"


def test_a_range_with_a_wrong_address_is_one_problem() -> None:
    (problem,) = examined({"nodes.d/a.yaml": "nodes: {'n[1-9]': {interfaces: {e: {ip: 10.9.0.1+}}}}\n"}).problems

    assert "n1 in the network provision: 10.9.0.1 is outside" in problem.message


def test_no_address_changes_because_another_node_comes_or_goes() -> None:
    def address(nodeset: str) -> str:
        text = f"nodes:\n  {nodeset}: {{interfaces: {{e: {{ip: 10.0.1.1+}}}}}}\n"
        return str(nodes_of({"nodes.d/a.yaml": text})["n003"].interfaces[0].ip)

    assert address("n[001-004]") == address("n003") == address("n[003-100]") == "10.0.1.3/16"


@st.composite
def layers(draw: st.DrawFn) -> dict[str, dict[str, Writable]]:
    """What one place says: an image, arguments, tags, each or not."""
    said: dict[str, dict[str, Writable]] = {"kernel": {}, "tags": {}, "top": {}}
    if draw(st.booleans()):
        said["top"]["image"] = draw(st.sampled_from("abc"))
    if draw(st.booleans()):
        said["kernel"]["args"] = draw(st.lists(st.sampled_from("xyz"), max_size=3))
    said["tags"].update(draw(st.dictionaries(st.sampled_from("tu"), st.sampled_from("12"), max_size=2)))
    return said


def entry_of(said: dict[str, dict[str, Writable]], **more: Writable) -> dict[str, Writable]:
    return {**said["top"], "kernel": said["kernel"], "tags": said["tags"], **more}


@given(st.lists(layers(), max_size=4), st.lists(layers(), min_size=1, max_size=3))
def test_the_strongest_place_that_says_something_decides(
    groups: list[dict[str, dict[str, Writable]]], entries: list[dict[str, dict[str, Writable]]]
) -> None:
    named = {f"g{index}": entry_of(group) for index, group in enumerate(groups)}
    files = {
        f"nodes.d/{index}.yaml": block({"nodes": {"n1": entry_of(each)}}) for index, each in enumerate(entries)
    }
    files["nodes.d/0.yaml"] = block({"nodes": {"n1": entry_of(entries[0], groups=list(named))}})
    files["groups.d/g.yaml"] = block({"groups": named})
    order = [*groups, *entries]

    node = nodes_of(files)["n1"]

    images = [layer["top"]["image"] for layer in order if layer["top"]]
    arguments = [argument for layer in order for argument in layer["kernel"].get("args") or ()]  # type: ignore[union-attr]
    assert node.image == (images[-1] if images else None)
    assert node.tags == {key: value for layer in order for key, value in layer["tags"].items()}
    assert node.kernel_args == tuple(dict.fromkeys(arguments))
    assert len(node.provenance.get("image", ())) == len(images)


def test_a_removed_list_item_is_gone_until_a_stronger_place_brings_it_back() -> None:
    nodes = nodes_of(
        {
            "groups.d/g.yaml": "groups:\n  a: {kernel: {args: [x, y]}}\n  b: {kernel: {args: [~x, z]}}\n",
            "nodes.d/a.yaml": (
                "nodes:\n  n1: {groups: [a, b]}\n  n2: {groups: [a, b], kernel: {args: [x]}}\n"
                "  n3: {groups: [b, a]}\n"
            ),
        }
    )

    assert nodes["n1"].kernel_args == ("y", "z")
    assert nodes["n2"].kernel_args == ("y", "z", "x")
    assert nodes["n3"].kernel_args == ("z", "x", "y")


def test_a_default_overlay_can_be_removed() -> None:
    node = nodes_of({"nodes.d/a.yaml": "nodes: {n1: {overlays: {system: [~hosts, motd]}}}\n"})["n1"]

    assert node.system_overlays == ("hostname", "network", "ssh", "agent", "motd")


def test_a_removed_scalar_falls_back_to_nothing_or_the_default() -> None:
    node = nodes_of(
        {
            "groups.d/g.yaml": "groups: {g: {image: a, script: boot, tags: {rack: r1, row: a}}}\n",
            "nodes.d/a.yaml": "nodes: {n1: {groups: [g], ~image: , ~script: , tags: {~rack: }}}\n",
        }
    )["n1"]

    assert (node.image, node.script, node.tags) == (None, "boot", {"row": "a"})
    assert "image" not in node.provenance


def test_a_map_that_is_removed_and_said_anew_starts_empty() -> None:
    node = nodes_of(
        {
            "groups.d/g.yaml": "groups: {g: {tags: {rack: r1}, interfaces: {eth0: {mtu: 9000}, eth1: }}}\n",
            "nodes.d/a.yaml": "nodes: {n1: {groups: [g], ~tags: , ~interfaces: }, n2: {groups: [g]}}\n",
            "nodes.d/b.yaml": "nodes: {n1: {tags: {row: b}, interfaces: {eth0: }}}\n",
        }
    )["n1"]

    assert node.tags == {"row": "b"}
    assert [(each.name, each.mtu) for each in node.interfaces] == [("eth0", None)]


def test_one_entry_can_remove_something_and_say_it_anew() -> None:
    node = nodes_of(
        {
            "groups.d/g.yaml": (
                "groups: {g: {image: a, tags: {rack: r1}, kernel: {args: [x]}, interfaces: {eth0: {mtu: 9000}}}}\n"
            ),
            "nodes.d/a.yaml": (
                "nodes: {n1: {groups: [g], ~image: , image: b, ~tags: , tags: {row: b}, "
                "kernel: {~args: , args: [y]}, interfaces: {~eth0: , eth0: {onboot: false}}}}\n"
            ),
        }
    )["n1"]

    assert (node.image, node.tags, node.kernel_args) == ("b", {"row": "b"}, ("y",))
    assert [(each.mtu, each.onboot) for each in node.interfaces] == [(None, False)]


def test_maps_in_resources_merge_and_lists_in_them_replace() -> None:
    node = nodes_of(
        {
            "groups.d/g.yaml": "groups: {g: {resources: {slurm: {gres: [gpu], cpus: 4, on: true}, x: {y: 1}}}}\n",
            "nodes.d/a.yaml": "nodes: {n1: {groups: [g], resources: {slurm: {gres: [f], ~on: }, x: {z: no}}}}\n",
        }
    )["n1"]

    assert node.resources == {"slurm": {"gres": ["f"], "cpus": 4}, "x": {"y": 1, "z": "no"}}


def test_a_comment_is_not_inherited() -> None:
    nodes = nodes_of(
        {
            "groups.d/g.yaml": "groups: {g: {comment: the rack}}\n",
            "nodes.d/a.yaml": "nodes: {n1: {groups: [g]}, n2: {groups: [g], comment: loud fan}}\n",
        }
    )

    assert (nodes["n1"].comment, nodes["n2"].comment) == (None, "loud fan")


def test_a_group_that_a_stronger_entry_removes_brings_nothing() -> None:
    node = nodes_of(
        {
            "groups.d/g.yaml": "groups: {base: {tags: {a: b}}, gpu: {groups: [base], image: a}, c: {image: b}}\n",
            "nodes.d/a.yaml": "nodes:\n  n[1-2]: {groups: [c, gpu]}\n  n1: {groups: [~gpu]}\n",
        }
    )["n1"]

    assert (node.groups, node.image, node.tags) == (("c",), "b", {})


def test_a_key_with_a_dot_is_no_path_in_the_places_of_values() -> None:
    text = "nodes:\n  n1: {resources: {a.b: 1,\n   a: {b: 2}}, interfaces: {bond0.5: {mtu: 9000}}}\n"
    node = nodes_of({"nodes.d/a.yaml": text})["n1"]

    assert places(node, 'resources."a.b"') == ["nodes.d/a.yaml:2 (node n1)"]
    assert places(node, "resources.a.b") == ["nodes.d/a.yaml:3 (node n1)"]
    assert places(node, 'interfaces."bond0.5".mtu') == ["nodes.d/a.yaml:3 (node n1)"]
