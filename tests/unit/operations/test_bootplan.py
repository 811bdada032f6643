"""What a change does to boots, before it is made."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from provisioner.config.paths import Paths
from provisioner.errors import ConfigError, NotFoundError, ProvisionerError
from provisioner.image.store import catalogue
from provisioner.operations.bootplan import BootPlan, NodeChanges, boot_plan, plan_since
from provisioner.operations.change import Texts, commit, draft
from provisioner.registry.revision import capture
from provisioner.registry.view import SiteView
from tests.support.bootable import GROUPS, NODES, SITE, bootable, write

SECRET = "hunter2"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return bootable(tmp_path / "site")


def plan(paths: Paths, file: str, old: str, new: str) -> BootPlan:
    """What a change of one piece of a file would do."""

    def edited(view: SiteView) -> Texts:
        text = view.text(file)
        assert text is not None
        assert old in text
        return {file: text.replace(old, new, 1)}

    images = catalogue(paths)
    return boot_plan(paths, images, draft(paths, images, edited))


def only(plan: BootPlan) -> NodeChanges:
    (group,) = plan.groups
    return group


def told(group: NodeChanges) -> dict[tuple[str, str], list[str]]:
    return {(each.what, each.name): list(each.lines) for each in group.changes}


def test_a_kernel_argument_of_a_group_is_one_change_of_all_its_nodes(paths: Paths) -> None:
    group = only(plan(paths, "groups.d/g.yaml", "quiet", "verbose"))

    assert (group.kind, group.folded) == ("changed", "n[1-3]")
    assert told(group) == {("kernel line", ""): ["-quiet", "+verbose"]}
    assert group.example == {}


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("groups.d/g.yaml", "groups:", "# a comment\n\ngroups:"),
        ("groups.d/g.yaml", "rack: r1", "rack: r2"),
        ("nodes.d/n.yaml", "nodes:", "nodes:\n"),
    ],
)
def test_what_no_boot_shows_changes_no_boot(paths: Paths, file: str, old: str, new: str) -> None:
    assert plan(paths, file, old, new).groups == ()


def test_an_address_changes_all_that_names_it_and_the_hosts_of_everybody(paths: Paths) -> None:
    first, others = plan(paths, "nodes.d/n.yaml", '00:01"', '00:01", ip: 10.0.9.9').groups

    assert first.folded == "n1"
    found = told(first)
    assert found["kernel line", ""] == ["-prov.ip={old ip}/16", "+prov.ip={ip}/16"]
    assert found["dhcp", "bios, ipxe, uefi, uefi-http"] == ["-address {old ip}", "+address {ip}"]
    assert "+{name}.cluster.local A {ip}" in found["dns", ""]
    assert "-{name}.cluster.local A {old ip}" in found["dns", ""]
    assert "+Address={ip}/16" in found["file", "etc/systemd/network/10-eth0.network"]
    assert (first.example["name"], first.example["old ip"], first.example["ip"]) == ("n1", "10.0.1.1", "10.0.9.9")
    assert others.folded == "n[2-3]"
    assert "-10.0.1.1 n1.cluster.local n1" in told(others)["file", "etc/hosts"]


def test_the_same_change_with_other_addresses_stands_together(paths: Paths) -> None:
    group = only(plan(paths, "nodes.d/n.yaml", "10.0.1.1+", "10.0.2.1+"))

    assert group.folded == "n[1-3]"
    assert told(group)["kernel line", ""] == ["-prov.ip={old ip}/16", "+prov.ip={ip}/16"]


def test_an_image_by_another_name_for_the_same_generation_changes_no_boot(paths: Paths) -> None:
    assert plan(paths, "groups.d/g.yaml", "image: demo", "image: demo@1").groups == ()


def test_a_node_that_cannot_boot_any_more_is_told_with_the_reason(paths: Paths) -> None:
    group = only(plan(paths, "nodes.d/n.yaml", '00:01"}}', '00:01"}}, kernel: {version: "9"}'))

    assert told(group)["image", ""] == [
        "-boots demo@1 (kernel 6.1.0-1-cloud-amd64)",
        "+refused: {name} wants the kernel 9, but demo@1 has 6.1.0-1-cloud-amd64",
    ]


def test_a_setting_of_the_network_reaches_every_node(paths: Paths) -> None:
    group = only(
        plan(paths, "provisioner.yaml", "domain: cluster.local", "domain: cluster.local, gateway: 10.0.0.9")
    )

    found = told(group)
    assert found["kernel line", ""] == ["+prov.gateway=10.0.0.9"]
    assert found["dhcp", "bios, ipxe, uefi, uefi-http"] == ["+router 10.0.0.9"]
    assert "+Gateway=10.0.0.9" in found["file", "etc/systemd/network/10-eth0.network"]


def test_an_overlay_that_goes_takes_its_files_along(paths: Paths) -> None:
    found = told(only(plan(paths, "groups.d/g.yaml", "runtime: [hosts]", "runtime: [hosts], system: [~agent]")))

    programs = ", ".join(f"usr/libexec/provisioner/{name}" for name in ("agent", "overlay", "swap"))
    assert found["file", programs] == ["-file 0755"]


def test_a_new_node_shows_what_it_gets_and_a_deleted_one_what_is_gone(paths: Paths) -> None:
    new = plan(paths, "nodes.d/n.yaml", "n[1-3]", "n[1-4]").groups
    gone = plan(paths, "nodes.d/n.yaml", '  n3: {interfaces: {eth0: {mac: "52:54:00:00:00:03"}}}\n', "").groups
    deleted = plan(paths, "nodes.d/n.yaml", NODES.partition("nodes:\n")[2], "").groups

    assert [(each.kind, each.folded) for each in new] == [("changed", "n[1-3]"), ("new", "n4")]
    assert told(new[1])["image", ""] == ["+no interface has a MAC: no machine is this node"]
    assert [(each.kind, each.folded) for each in gone] == [("changed", "n3")]
    assert [(each.kind, each.folded) for each in deleted] == [("deleted", "n[1-3]")]
    assert "-address {ip}" in told(deleted[0])["dhcp", "bios"]


def with_overlay(root: Path, template: str, **files: str) -> Paths:
    groups = GROUPS.replace("runtime: [hosts]", "runtime: [own]")
    texts = {"groups.d/g.yaml": groups, "overlays/own/rootfs/etc/own.j2": template}
    return bootable(root / "site", {**texts, **{name.replace("__", "/"): text for name, text in files.items()}})


def test_a_template_that_failed_before_the_change_is_told(tmp_path: Path) -> None:
    paths = with_overlay(tmp_path, "{{ node.tags.row }}\n")

    group = only(plan(paths, "groups.d/g.yaml", "tags: {rack: r1}", "tags: {row: r1}"))

    assert told(group)["file", "(runtime overlay)"] == [
        "-cannot be rendered: overlays/own/rootfs/etc/own.j2:1: the map has no key 'row'",
        "+can be rendered",
    ]


def test_a_later_overlay_that_makes_the_same_file_hides_a_change(tmp_path: Path) -> None:
    paths = with_overlay(tmp_path, "{{ node.tags.rack }}\n", overlays__over__rootfs__etc__own="the same\n")
    write(paths, "groups.d/g.yaml", GROUPS.replace("runtime: [hosts]", "runtime: [own, over]"))

    assert plan(paths, "groups.d/g.yaml", "rack: r1", "rack: r2").groups == ()


def test_no_secret_is_shown_and_that_one_changes_is_said(tmp_path: Path) -> None:
    # Open to all, which it would not be by itself.
    declared = {"overlays__own__overlay.yaml": "files: {etc/own: {mode: '0644'}}\n"}
    paths = with_overlay(tmp_path, "password={{ node.bmc.password }}\nrack={{ node.tags.rack }}\n", **declared)
    groups = (paths.group_files / "g.yaml").read_text().replace("runtime: [own]", "system: [own]")
    write(paths, "groups.d/g.yaml", f"{groups}    bmc: {{password: {SECRET}}}\n")

    found = plan(paths, "groups.d/g.yaml", SECRET, f"{SECRET}-new")

    assert SECRET not in str(found.record())
    lines = told(only(found))["file", "etc/own"]
    assert lines[:2] == ["-password=********", "+password=********"]
    assert "a secret in it is not shown" in lines[-1]


def test_a_file_for_its_owner_alone_is_told_by_its_digest(tmp_path: Path) -> None:
    declared = {"overlays__own__overlay.yaml": "files: {etc/own: {mode: '0600'}}\n"}
    paths = with_overlay(tmp_path, "{{ node.tags.rack }}\n", **declared)

    lines = told(only(plan(paths, "groups.d/g.yaml", "rack: r1", "rack: r2")))["file", "etc/own"]

    assert len(lines) == 1
    assert lines[0].startswith("secret, changed (sha256 ")


def test_from_a_kept_revision_every_kind_of_file_counts(paths: Paths) -> None:
    revision = capture(paths).revision
    write(paths, "overlays/hosts/rootfs/etc/hosts.j2", "127.0.0.1 localhost\n")
    write(paths, "templates/boot.ipxe.j2", "#!ipxe\nkernel {{ url }}/t/{{ token }}/kernel {{ kernel_line }}\n")

    found = only(plan_since(paths, catalogue(paths), revision[:8]))

    assert found.folded == "n[1-3]"
    assert "-10.0.1.1 n1.cluster.local n1" in told(found)["file", "etc/hosts"]
    assert "+kernel http://10.0.0.1:8080/t/SCRIPT-TOKEN/kernel {kernel line}" in told(found)["boot script", ""]


def test_since_the_present_revision_nothing_changes(paths: Paths) -> None:
    assert plan_since(paths, catalogue(paths), capture(paths).revision).groups == ()


def test_a_revision_that_is_not_kept_is_an_error(paths: Paths) -> None:
    with pytest.raises(NotFoundError, match="no revision that starts with 'abc' is kept"):
        plan_since(paths, catalogue(paths), "abc")


def test_the_start_of_several_revisions_is_an_error(paths: Paths) -> None:
    first = capture(paths).revision
    (paths.objects.parent / "revisions" / f"{first[:5]}0.json").write_text("{}")

    with pytest.raises(ProvisionerError, match=f"2 revisions start with '{first[:5]}'"):
        plan_since(paths, catalogue(paths), first[:5])


def test_mistakes_in_what_is_written_are_told_instead_of_a_plan(paths: Paths) -> None:
    revision = capture(paths).revision
    write(paths, "groups.d/g.yaml", GROUPS.replace("quiet", "[[["))

    with pytest.raises(ConfigError, match=r"groups\.d/g\.yaml"):
        plan_since(paths, catalogue(paths), revision)


def test_a_plan_writes_nothing_of_the_site_and_makes_no_key(paths: Paths) -> None:
    # Publishing the image has made it, to sign.
    shutil.rmtree(paths.keys)

    plan(paths, "provisioner.yaml", "demo", "other")

    assert (paths.site / "provisioner.yaml").read_text() == SITE
    assert not paths.keys.exists()


def test_a_plan_is_plain_data_for_programs(paths: Paths) -> None:
    record = plan(paths, "groups.d/g.yaml", "quiet", "verbose").record()

    assert record["groups"] == [
        {
            "nodes": "n[1-3]",
            "count": 3,
            "change": "changed",
            "example": {},
            "changes": [{"what": "kernel line", "name": "", "lines": ["-quiet", "+verbose"]}],
        }
    ]


def test_the_first_change_of_a_site_can_be_looked_back_to(paths: Paths) -> None:
    images = catalogue(paths)
    drafted = draft(paths, images, lambda _: {"groups.d/g.yaml": GROUPS.replace("quiet", "verbose")})
    before = drafted.before.revision
    commit(drafted, command="x")

    assert only(plan_since(paths, images, before)).folded == "n[1-3]"


@pytest.mark.parametrize("field", ["comment", "tags", "resources"])
@pytest.mark.parametrize("where", ["script", "overlay", "all nodes"])
def test_a_field_that_some_template_reads_changes_boots(tmp_path: Path, field: str, where: str) -> None:
    loop = f"{{% for n in nodes %}}{{{{ n.{field} | string | length }}}}{{% endfor %}}\n"
    files = {
        "script": {"templates/boot.ipxe.j2": f"#!ipxe\n# {{{{ node.{field} | string | length }}}}\n"},
        "overlay": {"overlays/hosts/rootfs/etc/x.j2": f"{{{{ node.{field} | string | length }}}}\n"},
        "all nodes": {"overlays/hosts/rootfs/etc/x.j2": loop},
    }
    paths = bootable(tmp_path / "reads", files[where])
    new = {"comment": "comment: hello", "tags": "tags: {fresh: x}", "resources": "resources: {a: b}"}[field]

    found = plan(paths, "nodes.d/n.yaml", "n1: {", f"n1: {{{new}, ")

    assert "n1" in {name for group in found.groups for name in group.nodes}
    assert not plan(bootable(tmp_path / "plain"), "nodes.d/n.yaml", "n1: {", f"n1: {{{new}, ").groups
