"""The agent brings runtime overlays from the real daemon into a root: right, never torn, nothing else touched."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner.operations import live
from provisioner.operations.push import push
from tests.support.agentbox import AgentBox
from tests.support.daemon import HeadNode, eventually, head_node

pytestmark = [
    pytest.mark.integration,
    pytest.mark.root,
    pytest.mark.timeout(600),
    pytest.mark.needs("chroot", "cpio", "curl", "flock", "ip", "setcap", "unshare"),
]

_numbers = itertools.count(1)


class Node:
    """A running node with a runtime overlay of its own."""

    def __init__(self, head: HeadNode, folder: Path) -> None:
        self.head = head
        self.machine = head.machine()
        self.overlay = f"box{next(_numbers)}"
        self.write({"etc/box/one": "1\n"})
        self.token = self.machine.hand_over()
        self.box = AgentBox(head.namespace, folder, self.machine, self.token)

    def write(self, files: dict[str, str], declared: str = "{}") -> None:
        """Have the overlay hold these files and declarations, and nothing else."""
        root = self.head.paths.site / "overlays" / self.overlay / "rootfs"
        for old in [path for path in root.rglob("*") if path.is_file()]:
            if str(old.relative_to(root)) not in files:
                old.unlink()
        for name, text in files.items():
            self.head.write(f"overlays/{self.overlay}/rootfs/{name}", text)
        self.head.write(f"overlays/{self.overlay}/overlay.yaml", declared)
        node = f"{{overlays: {{runtime: [~hosts, {self.overlay}]}}}}"
        self.head.write(f"nodes.d/{self.overlay}.yaml", f"nodes: {{{self.machine.node}: {node}}}\n")
        answer = live.reload(self.head.paths)
        assert answer is not None
        assert answer["problems"] == []

    def becomes_ready(self) -> None:
        self.machine.report(self.token, "system.report", state="running")
        self.machine.reaches("ready")


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HeadNode]:
    with head_node(tmp_path_factory.mktemp("head")) as head:
        head.daemon.start()
        yield head
        head.daemon.stop()
        assert "Traceback" not in head.log()


@pytest.fixture
def node(head: HeadNode, tmp_path: Path) -> Node:
    return Node(head, tmp_path / "box")


@pytest.fixture
def ready(node: Node) -> Node:
    node.becomes_ready()
    return node


def test_the_first_look_lays_everything_down_and_tells_the_head_node(node: Node) -> None:
    said = node.box.overlay()

    assert "1 changed, 0 removed" in said
    assert node.box.text("/etc/box/one") == "1\n"
    told = node.machine.saw("runtime.applied")
    assert told.data["runtime_sha256"] == node.box.text("/run/provisioner/overlay/applied").strip()
    assert not node.box.sh("ls -A /.provisioner /etc/box/.provisioner-new 2>/dev/null || true")


def test_what_is_equal_keeps_its_inode_and_time_and_what_differs_is_replaced(ready: Node) -> None:
    ready.write({"etc/box/one": "1\n", "etc/box/two": "2\n"}, "files: {etc/box/two: {mode: '0640', gid: 7}}")
    ready.box.overlay()
    before = ready.box.find("/etc/box/one"), ready.box.find("/etc/box/two")

    ready.write({"etc/box/one": "1\n", "etc/box/two": "zwei\n"}, "files: {etc/box/two: {mode: '0600', gid: 7}}")
    ready.box.overlay()

    assert ready.box.find("/etc/box/one") == before[0]
    two = ready.box.find("/etc/box/two")
    assert (two.text, two.mode, two.owner) == ("zwei\n", "600", "0:7")


def test_an_archive_that_is_there_already_is_not_sent_again(ready: Node) -> None:
    ready.box.overlay()

    assert ready.box.overlay() == ""
    ready.machine.saw("overlay.sent")
    assert len(ready.machine.events("overlay.sent")) == 1


def test_a_file_that_leaves_the_overlay_goes_and_the_image_gets_its_own_back(ready: Node) -> None:
    ready.box.sh("echo image > /etc/box/two; chmod 604 /etc/box/two; echo other > /etc/box/other")
    original = ready.box.find("/etc/box/two")
    ready.write({"etc/box/two": "2\n", "srv/box/deep/three": "3\n"})
    ready.box.overlay()
    assert ready.box.text("/etc/box/two") == "2\n"

    ready.write({"etc/box/four": "4\n"})
    ready.box.overlay()

    assert ready.box.sh("find /etc/box /srv/box 2>/dev/null | sort || true").split() == [
        "/etc/box",
        "/etc/box/four",
        "/etc/box/other",
        "/etc/box/two",
    ]
    back = ready.box.find("/etc/box/two")
    assert (back.text, back.mode, back.owner) == (original.text, original.mode, original.owner)


def test_a_removal_takes_a_file_of_the_image_and_gives_it_back_when_it_is_dropped(ready: Node) -> None:
    ready.box.sh("mkdir -p /etc/box/d/e; echo a > /etc/box/d/a; echo b > /etc/box/d/e/b; echo c > /etc/box/c")
    ready.write({"etc/box/d/new": "n\n"}, "remove: [etc/box/d, etc/box/c]")
    ready.box.overlay()
    assert ready.box.sh("find /etc/box -type f").split() == ["/etc/box/d/new"]

    ready.write({"etc/box/d/new": "n\n"})
    ready.box.overlay()

    assert ready.box.sh("find /etc/box -type f | sort").split() == [
        *("/etc/box/c", "/etc/box/d/a", "/etc/box/d/e/b", "/etc/box/d/new"),
    ]


def test_links_and_folders_are_laid_down_with_their_modes(ready: Node) -> None:
    declared = "{files: {srv/box: {kind: directory, mode: '0750'}}, links: {etc/box/link: ../box/one}}"
    ready.write({"etc/box/one": "1\n"}, declared)
    ready.box.overlay()
    ready.write({"etc/box/one": "1\n"}, declared.replace("0750", "0711").replace("../box/one", "one"))
    ready.box.overlay()

    assert ready.box.sh("readlink /etc/box/link; stat -c %a /srv/box").split() == ["one", "711"]


def test_capabilities_and_labels_are_set_before_the_file_is_in_its_place(ready: Node) -> None:
    label = "selinux: bin_t, capabilities: cap_net_raw=ep"
    ready.write({"etc/box/ping": "x\n"}, f"files: {{etc/box/ping: {{mode: '0755', {label}}}}}")
    ready.box.overlay()

    assert "cap_net_raw=ep" in ready.box.sh("getcap /etc/box/ping")
    assert ready.box.sh("stat -c %C /etc/box/ping").strip() in ("system_u:object_r:bin_t:s0", "?")


def test_only_services_whose_files_changed_are_reloaded(ready: Node) -> None:
    declared = "services: {one.service: [etc/box/one], tree.service: ['etc/box/d/*'], no.service: [etc/none]}"
    ready.write({"etc/box/one": "1\n", "etc/box/d/e/f": "1\n"}, declared)
    ready.box.overlay()
    assert ready.box.reloaded == ["try-reload-or-restart one.service", "try-reload-or-restart tree.service"]

    ready.write({"etc/box/one": "1\n", "etc/box/d/e/f": "2\n"}, declared)
    ready.box.overlay()
    assert ready.box.reloaded == ["try-reload-or-restart tree.service"]

    ready.write({"etc/box/d/e/f": "2\n"})
    ready.box.overlay()
    assert ready.box.reloaded == ["try-reload-or-restart one.service"]


def test_a_dry_run_says_what_would_change_and_changes_nothing(ready: Node) -> None:
    ready.box.overlay()
    ready.write({"etc/box/two": "2\n"}, "services: {x.service: [etc/box/two]}")
    digests = "find /etc/box /run/provisioner/overlay/[amo]* -type f -exec sha256sum {} + | sort"
    before = ready.box.sh(digests)

    said = ready.box.overlay("--dry-run").splitlines()

    assert said[:2] == ["would write /etc/box/two", "would remove /etc/box/one"]
    assert "would reload x.service if it runs and etc/box/two changed" in said
    assert ready.box.sh(digests) == before
    assert ready.box.reloaded == []


def test_a_folder_of_the_image_is_not_replaced_by_a_file_and_the_head_node_hears_it(ready: Node) -> None:
    ready.box.sh("mkdir /etc/box/two; touch /etc/box/two/mine")
    ready.write({"etc/box/two": "2\n", "etc/box/three": "3\n"})

    assert "/etc/box/two: a folder is in its way" in ready.box.fails()

    assert ready.box.text("/etc/box/three") == "3\n"
    assert ready.machine.saw("runtime.failed").message == "/etc/box/two: a folder is in its way"
    status = ready.box.text("/run/provisioner/runtime")
    ready.machine.report(ready.token, "system.report", state="running", runtime_failed="x is in the way")
    ready.machine.reaches("degraded")
    assert "runtime_failed=/etc/box/two: a folder is in its way" in status
    assert ready.machine.boot.reason == "the runtime overlays are not applied: x is in the way"


def test_a_template_that_fails_leaves_the_files_as_they_are(ready: Node) -> None:
    ready.box.overlay()
    ready.write({"etc/box/one.j2": "{{ node.nothing }}\n"})

    assert "refuses the runtime overlay" in ready.box.fails()

    assert ready.box.text("/etc/box/one") == "1\n"
    assert "one.j2:1" in ready.machine.saw("runtime.failed").message


def test_until_ready_a_node_gets_what_its_boot_holds_to(node: Node) -> None:
    node.write({"etc/box/one": "edited\n"})
    node.box.overlay()
    assert node.box.text("/etc/box/one") == "1\n"

    node.becomes_ready()
    node.box.overlay()

    assert node.box.text("/etc/box/one") == "edited\n"


def test_an_edit_reaches_a_node_that_waits_by_itself_and_a_push_puts_right_what_was_edited_there(
    ready: Node, tmp_path: Path
) -> None:
    following = ready.head.namespace.spawn(
        ["chroot", tmp_path / "box/root", "/usr/libexec/provisioner/overlay", "--follow"], cwd=tmp_path
    )
    eventually(lambda: ready.box.has("/etc/box/one"))
    ready.write({"etc/box/one": "edited\n"})
    eventually(lambda: ready.box.text("/etc/box/one") == "edited\n")

    ready.box.write("/etc/box/one", "by hand\n")
    pushed = push(ready.head.paths, [ready.machine.node])
    # At once: a node may be told again after five seconds, and what it does now may take longer.
    again = push(ready.head.paths, [ready.machine.node, "n059"])
    eventually(lambda: ready.box.text("/etc/box/one") == "edited\n")

    assert {*pushed.told, *pushed.next} == {ready.machine.node}
    assert (again.limited, again.next) == ((ready.machine.node,), ("n059",))
    following.kill()


def test_a_node_without_runtime_overlays_gets_none(head: HeadNode, tmp_path: Path) -> None:
    node = Node(head, tmp_path / "box")
    head.write(
        f"nodes.d/{node.overlay}.yaml", f"nodes: {{{node.machine.node}: {{overlays: {{runtime: [~hosts]}}}}}}\n"
    )
    live.reload(head.paths)
    node.becomes_ready()

    assert node.box.overlay() == ""
    assert node.box.text("/run/provisioner/runtime").splitlines()[0] == "runtime_sha256=none"
    assert node.machine.events("overlay.sent") == []


DECLARED = (
    "{files: {etc/box/one: {mode: '0600'}}, services: {one.service: [etc/box/one], two.service: [etc/box/two]}}"
)
# What the overlay makes, and what then stands in etc/box: the image has a `two` of its own.
VERSIONS = (
    (
        {"etc/box/one": "old\n" * 999, "etc/box/two": "two\n"},
        {"one": ("old\n" * 999, "600"), "two": ("two\n", "644")},
    ),
    (
        {"etc/box/one": "new\n" * 999, "srv/box/three": "3\n"},
        {"one": ("new\n" * 999, "600"), "two": ("image\n", "604")},
    ),
)


def begin_to_change(node: Node) -> int:
    """Lay down both versions, the second one step by step; how many steps that takes."""
    node.box.sh("echo image > /etc/box/two; chmod 604 /etc/box/two")
    node.write(VERSIONS[0][0], DECLARED)
    node.box.overlay()
    node.write(VERSIONS[1][0], DECLARED)
    steps = node.box.killed_at(100_000)
    assert node.box.reloaded
    assert steps > 50
    return steps


def kill(node: Node, step: int) -> None:
    """Kill a run at a step; every file is then of one version or the other."""
    # A pipe starts several programs at once.
    assert node.box.killed_at(step) <= step + 3, f"step {step}: it was not killed"
    for name in ("one", "two"):
        found = node.box.find(f"/etc/box/{name}")
        assert (found.text, found.mode) in {version[1][name] for version in VERSIONS}, (
            f"step {step}: {name} is torn"
        )


def end(node: Node, version: int, step: int) -> None:
    """Let a run come to its end; everything is then as one version says, and nothing else is there."""
    node.box.overlay()
    files, expected = VERSIONS[version]
    for name, state in expected.items():
        found = node.box.find(f"/etc/box/{name}")
        assert (found.text, found.mode) == state, f"step {step}: {name} is not what it should be"
    assert node.box.has("/srv/box/three") == ("srv/box/three" in files), f"step {step}"
    assert not node.box.sh("find /etc/box /srv -name '.provisioner*'"), f"step {step}: a file was left beside"


def test_a_run_that_is_killed_at_any_step_leaves_whole_files_and_the_next_one_ends_the_work(ready: Node) -> None:
    for step in range(1, begin_to_change(ready) + 1):
        version = (step + 1) % 2
        ready.write(VERSIONS[version][0], DECLARED)
        kill(ready, step)
        end(ready, version, step)
        reloaded = ready.box.reloaded
        for unit in ("one", "two"):
            assert f"try-reload-or-restart {unit}.service" in reloaded, f"step {step}: {unit} is not reloaded"


def test_a_run_that_is_killed_leaves_nothing_behind_when_the_edit_is_taken_back(ready: Node) -> None:
    for step in range(1, begin_to_change(ready) + 1, 2):
        ready.write(VERSIONS[0][0], DECLARED)
        kill(ready, step)
        ready.write(VERSIONS[1][0], DECLARED)
        end(ready, 1, step)
