"""Which files change: what is left out of the search must not have changed."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner.archive.tree import Entry, Kind
from provisioner.errors import ProvisionerError
from provisioner.model.catalogue import Catalogue
from provisioner.model.resolved import ResolvedNode
from provisioner.model.snapshot import Snapshot
from provisioner.operations.filechanges import LONGEST, FileChanges, is_secret
from provisioner.operations.side import Side
from provisioner.operations.standins import StandIns
from provisioner.overlay.context import Surroundings
from provisioner.overlay.includes import Includes, SiteFiles
from provisioner.overlay.library import Library
from provisioner.overlay.manifest import MANIFEST
from provisioner.overlay.memo import RenderMemo
from provisioner.overlay.rendered import OverlayKind
from provisioner.overlay.source import Files, WrittenFiles
from provisioner.registry.collect import FileKind, SourceFile
from provisioner.render.environment import Renderer
from tests.support import resolved
from tests.support.anysite import SOURCES, snapshots, written
from tests.support.imagefacts import image

RENDERER = Renderer()
# A pair for every source, which fight for one path, and one that opens files where it likes.
OVERLAYS = {f"t{number}": source for number, source in enumerate(SOURCES)}
FIGHTING = {"x": "{{ node.tags.rack }}", "y": "{{ file('etc/x') }}{{ cluster }}", "z": "{{ file(node.domain) }}z"}


def side(files: Files, snapshot: Snapshot) -> Side:
    surroundings = Surroundings(snapshot, StandIns())
    return Side(files, Catalogue(), surroundings, Library(files, RenderMemo(RENDERER)), RENDERER)


def tree(of: Side, node: ResolvedNode) -> dict[str, Entry] | str:
    try:
        return {entry.path: entry for entry in of.tree(node, OverlayKind.SYSTEM)}
    except ProvisionerError as error:
        return error.message


def changed_paths(before: Side, after: Side, name: str) -> set[str] | None:
    """The truth: both trees rendered whole. None where both fail alike: what is told then is true of no boot."""
    trees = tree(before, before.snapshot.nodes[name]), tree(after, after.snapshot.nodes[name])
    if isinstance(trees[0], str) or isinstance(trees[1], str):
        return {"(system overlay)"} if trees[0] != trees[1] else None
    return {path for path in trees[0].keys() | trees[1].keys() if trees[0].get(path) != trees[1].get(path)}


def with_overlays(snapshot: Snapshot, names: tuple[str, ...]) -> Snapshot:
    nodes = (node.model_copy(update={"system_overlays": names}) for node in snapshot.nodes.values())
    return Snapshot.build(snapshot.revision, snapshot.site, nodes)


_names = st.lists(
    st.sampled_from(["x", "y", "z", "t0", "t1", "t2", "t3", "t6", "t10", "t13", "t14"]), max_size=4, unique=True
).map(tuple)


@st.composite
def two_sides(draw: st.DrawFn) -> tuple[Side, Side]:
    first = with_overlays(draw(snapshots()), draw(_names))
    # Most often the same nodes, some of them edited, so that the short cuts are taken.
    second = draw(st.one_of(st.just(first), snapshots().map(lambda other: _mixed(first, other))))
    second = draw(st.sampled_from([second, with_overlays(second, draw(_names))]))
    edited = draw(st.sampled_from([{}, {"x": "{{ cluster }}!"}, {"t1": "gone"}]))
    return side(written(**FIGHTING, **OVERLAYS), first), side(
        written(**{**FIGHTING, **OVERLAYS, **edited}), second
    )


def _mixed(first: Snapshot, other: Snapshot) -> Snapshot:
    """Half of the nodes as they were, half of them others with the overlays that they had."""
    names = sorted(first.nodes)
    kept = [first.nodes[name] for name in names[:2]]
    edited = [
        other.nodes[name].model_copy(update={"system_overlays": first.nodes[name].system_overlays})
        for name in names[2:]
    ]
    return Snapshot.build(other.revision, other.site, [*kept, *edited])


@settings(max_examples=60, deadline=None)
@given(two_sides())
def test_the_files_that_change_are_those_that_differ_between_whole_trees(sides: tuple[Side, Side]) -> None:
    before, after = sides
    changes = FileChanges(before, after)

    for name, old in before.snapshot.nodes.items():
        found = changes.of(OverlayKind.SYSTEM, old, after.snapshot.nodes[name])
        expected = changed_paths(before, after, name)
        assert expected is None or {change.path for change in found} == expected


def lines(before: str, after: str) -> list[str]:
    node = resolved.node(system_overlays=("a",))
    old, new = (side(written(a=text), resolved.snapshot(node)) for text in (before, after))
    (change,) = FileChanges(old, new).of(OverlayKind.SYSTEM, node, node)
    return list(change.lines)


def test_only_the_lines_that_differ_are_shown_with_what_is_next_to_them() -> None:
    assert lines("1\n2\n3\n4\n5\n", "1\n2\nx\n4\n5\n") == [" 2", "-3", "+x", " 4"]


def test_an_end_without_a_line_break_is_told() -> None:
    assert lines("1\n", "1") == ["(only the end of the last line differs)"]


def test_of_a_long_difference_the_beginning_is_kept_and_the_rest_told_apart() -> None:
    many = [f"{number}\n" for number in range(LONGEST)]
    first = lines("", "".join([*many, "a\n"]))
    second = lines("", "".join([*many, "b\n"]))

    assert len(first) == LONGEST + 1
    assert first[-1].startswith("... 1 more lines")
    assert first[-1] != second[-1]


def test_keys_and_files_for_their_owner_alone_are_secret_and_public_ones_are_not() -> None:
    assert is_secret(Entry("etc/key", Kind.FILE, b"x", mode=0o600))
    assert is_secret(Entry("etc/key", Kind.FILE, b"-----BEGIN OPENSSH PRIVATE KEY-----"))
    assert not is_secret(Entry("root/.ssh/authorized_keys", Kind.FILE, b"ssh-ed25519", mode=0o600))
    assert not is_secret(Entry("etc/motd", Kind.FILE, b"x"))
    assert not is_secret(Entry("root/.ssh", Kind.DIRECTORY, mode=0o700))


DECLARED = """\
files: {etc/a: {selinux: etc_t, capabilities: cap_net_raw=ep}}
remove: [etc/old]
services: {a.service: [etc/a]}
"""


def declaring(declared: str, *, text: str = "{{ cluster }}") -> Files:
    files = written(a=text).files
    return WrittenFiles({**files, "overlays/a/overlay.yaml": SourceFile(FileKind.FILE, 0o644, declared.encode())})


def declared_lines(before: str, after: str) -> list[str]:
    node = resolved.node(system_overlays=("a",))
    sides = [side(declaring(declared), resolved.snapshot(node)) for declared in (before, after)]
    found = FileChanges(sides[0], sides[1]).of(OverlayKind.SYSTEM, node, node)
    assert [change.path for change in found] in ([MANIFEST], [])
    return [line for change in found for line in change.lines]


def test_what_an_overlay_declares_otherwise_is_told_in_words() -> None:
    words = [
        "removes etc/old of the image",
        "labels etc/a system_u:object_r:etc_t:s0",
        "gives etc/a the capabilities cap_net_raw=ep",
        "reloads a.service when etc/a changes",
    ]

    assert declared_lines("", DECLARED) == [f"+{line}" for line in words]
    assert declared_lines(DECLARED, "") == [f"-{line}" for line in words]
    assert declared_lines(DECLARED, DECLARED.replace("etc_t", "usr_t")) == [
        "-labels etc/a system_u:object_r:etc_t:s0",
        "+labels etc/a system_u:object_r:usr_t:s0",
    ]
    assert declared_lines(DECLARED, f"description: words\n{DECLARED}") == []


def test_a_label_goes_with_a_file_that_a_template_opens_no_more() -> None:
    declared = "files: {etc/demo: {selinux: etc_t}}\n"
    node = resolved.node(system_overlays=("a",))
    texts = ("{{ file('etc/' ~ cluster) }}x", "{{ file('etc/' ~ node.name) }}x")
    sides = [side(declaring(declared, text=text), resolved.snapshot(node)) for text in texts]

    found = {
        change.path: change.lines for change in FileChanges(sides[0], sides[1]).of(OverlayKind.SYSTEM, node, node)
    }

    assert found[MANIFEST] == ("-labels etc/demo system_u:object_r:etc_t:s0",)
    assert found.keys() == {MANIFEST, "etc/demo", "etc/n001"}


def test_another_image_brings_other_files() -> None:
    files = WrittenFiles(
        {
            **written(one="{{ image.os.ID }}", two="{{ cluster }}").files,
            "overlays/a/overlay.yaml": SourceFile(
                FileKind.FILE, 0o644, b"choose: {one: NetworkManager, two: wicked}\n"
            ),
        }
    )
    images = {"old": image({"NetworkManager": True}), "new": image({"wicked": True}, number=2)}
    node = resolved.node(system_overlays=("a",), image="old")
    moved = node.model_copy(update={"image": "new"})
    around = [
        Surroundings(
            resolved.snapshot(each),
            StandIns(),
            includes=Includes(SiteFiles(files), lambda name: images[name or ""]),
        )
        for each in (node, moved)
    ]
    sides = [Side(files, Catalogue(), each, Library(files, RenderMemo(RENDERER)), RENDERER) for each in around]

    found = {
        change.path: change.lines for change in FileChanges(sides[0], sides[1]).of(OverlayKind.SYSTEM, node, moved)
    }

    assert found == {"etc/one": ("-file 0644",), "etc/two": ("+file 0644", "+demo")}
