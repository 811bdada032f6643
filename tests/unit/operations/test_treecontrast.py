"""Files that differ between two generations, from trees in a real store."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from provisioner.model.imagefiles import ImageFile, ImageFiles, Kind
from provisioner.operations.imagediff import image_difference
from provisioner.operations.treecontrast import Contents, file_changes
from tests.support.site import SITE, write_site
from tests.support.surveyed import surveyed


def contents(*files: ImageFile, digests: Mapping[str, str] | None = None, **versions: str) -> Contents:
    return Contents(ImageFiles({each.path: each for each in files}), digests or {}, versions)


def file(path: str, mode: int = 0o644, uid: int = 0, size: int = 3, package: str = "") -> ImageFile:
    return ImageFile(path, Kind.FILE, mode, uid, 0, size, package=package)


def told(old: Contents, new: Contents) -> dict[str, str]:
    return {each.subject: each.message for each in file_changes(old, new)}


def test_what_an_administrator_did_in_an_image_is_told_file_by_file(tmp_path: Path) -> None:
    paths = write_site(tmp_path / "site", {"provisioner.yaml": SITE})
    surveyed(paths, "old", {"etc/same": "x", "etc/edited": "one", "etc/gone": ""})
    surveyed(paths, "new", {"etc/same": "x", "etc/edited": "two", "opt/tool": ""})

    found = image_difference(paths, "old", "new").findings

    assert {each.subject: each.message for each in found if each.section == "files"} == {
        "/etc/edited": "other content (3 -> 3 bytes)",
        "/etc/gone": "is gone",
        "/opt/tool": "is new",
    }


@pytest.mark.parametrize(
    ("after", "message"),
    [
        (file("/a", mode=0o600), "mode 0644 -> 0600"),
        (file("/a", uid=5), "owner 0:0 -> 5:0"),
        (file("/a", size=4, mode=0o4755), "other content (3 -> 4 bytes), mode 0644 -> 4755"),
        (ImageFile("/a", Kind.LINK, 0o644, 0, 0, target="/b"), "file -> link"),
    ],
)
def test_each_kind_of_change_has_its_words(after: ImageFile, message: str) -> None:
    assert told(contents(file("/a")), contents(after)) == {"/a": message}


def test_a_link_that_leads_elsewhere_is_told_with_both_targets() -> None:
    old, new = (ImageFile("/a", Kind.LINK, 0o777, 0, 0, target=target) for target in ("/b", "/c"))

    assert told(contents(old), contents(new)) == {"/a": "leads to /c instead of /b"}


def test_files_of_a_package_in_another_version_are_explained_by_it() -> None:
    old = contents(file("/usr/bin/x", package="x"), file("/usr/bin/y", package="y"), x="1", y="1")
    new = contents(file("/usr/bin/x", size=9, package="x"), file("/usr/bin/y", size=9, package="y"), x="2", y="1")

    assert list(told(old, new)) == ["/usr/bin/y"]


def test_files_of_packages_that_come_and_go_are_explained_by_them() -> None:
    old, new = contents(file("/a", package="x"), x="1"), contents(file("/b", package="y"), y="1")

    assert told(old, new) == {}


def test_a_folder_with_many_changes_is_told_as_one() -> None:
    old = contents(*(file(f"/opt/old{number:02}") for number in range(30)), file("/opt/kept"))
    new = contents(*(file(f"/opt/new{number:02}") for number in range(25)), file("/opt/kept", size=4))

    assert told(old, new) == {"/opt/": "1 changed, 30 gone, 25 new"}


def test_folders_matter_by_what_is_in_them_and_by_their_rights() -> None:
    folder = ImageFile("/etc", Kind.DIRECTORY, 0o755, 0, 0)

    assert told(contents(), contents(folder)) == {}
    assert told(contents(folder), contents(folder._replace(mode=0o700))) == {"/etc": "mode 0755 -> 0700"}
