"""Paths of an image: where its links lead."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.image import inside
from provisioner.model.imagefiles import ImageFile, ImageFiles, Kind


def files(**links: str) -> ImageFiles:
    folders = ("/", "/usr", "/usr/lib", "/etc")
    entries = [ImageFile(path, Kind.DIRECTORY, 0o755, 0, 0) for path in folders]
    entries += [ImageFile("/usr/lib/file", Kind.FILE, 0o644, 0, 0)]
    entries += [ImageFile(f"/{name}", Kind.LINK, 0o777, 0, 0, target=target) for name, target in links.items()]
    return ImageFiles({entry.path: entry for entry in entries})


def test_links_are_followed_inside_the_image() -> None:
    known = files(lib="usr/lib", out="../../../etc", absolute="/lib")

    assert known.resolve("/lib/file") == "/usr/lib/file"
    assert known.resolve("/absolute/file") == "/usr/lib/file"
    assert known.resolve("/out/passwd") == "/etc/passwd"
    assert known.find("lib/file") == known["/usr/lib/file"]


def test_the_place_of_an_entry_does_not_follow_the_entry_itself() -> None:
    known = files(lib="usr/lib")

    assert (known.place("/lib"), known.place("/lib/new"), known.place("/lib/")) == ("/lib", "/usr/lib/new", "/lib")


def test_links_in_a_circle_lead_nowhere() -> None:
    known = files(a="b", b="a")

    assert (known.resolve("/a/c"), known.place("/a/c"), known.find("/a")) == (None, None, None)


PARTS = st.lists(st.sampled_from(["a", "b", "c", "..", ".", ""]), min_size=1, max_size=5).map("/".join)


@given(links=st.dictionaries(st.sampled_from(["a", "b", "c"]), PARTS.filter(bool)), path=PARTS)
def test_links_lead_where_they_lead_in_a_tree(
    tmp_path_factory: pytest.TempPathFactory, links: dict[str, str], path: str
) -> None:
    entries = [ImageFile(f"/{name}", Kind.LINK, 0o777, 0, 0, target=target) for name, target in links.items()]
    root = tmp_path_factory.mktemp("root")
    for name, target in links.items():
        (root / name).symlink_to(target)

    found = ImageFiles({entry.path: entry for entry in entries}).resolve(path)

    place = inside.follow(root, path)
    assert (None if found is None else root / found.lstrip("/")) == place
