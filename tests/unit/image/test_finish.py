from __future__ import annotations

from pathlib import Path

from provisioner.image import finish
from provisioner.image.recipe import DnfRecipe


def recipe(**fields: object) -> DnfRecipe:
    return DnfRecipe.model_validate({"kind": "dnf", "date": "2024-01-01", **fields})


def unit(tree: Path, name: str) -> Path:
    folder = tree / "etc/systemd/system"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / name


def test_a_masked_unit_points_to_nothing_whatever_was_there(tmp_path: Path) -> None:
    unit(tmp_path, "a.service").write_text("[Unit]\n")

    finish.finish(recipe(mask=["a.service", "b.timer"]), tmp_path, log=tmp_path / "log")

    assert [str(unit(tmp_path, name).readlink()) for name in ("a.service", "b.timer")] == [
        "/dev/null",
        "/dev/null",
    ]


def test_unmasking_leaves_units_that_are_not_masked_alone(tmp_path: Path) -> None:
    unit(tmp_path, "masked.service").symlink_to("/dev/null")
    unit(tmp_path, "own.service").write_text("[Unit]\n")
    unit(tmp_path, "alias.service").symlink_to("/usr/lib/systemd/system/real.service")
    names = ["masked.service", "own.service", "alias.service", "missing.service"]

    finish.finish(recipe(unmask=names), tmp_path, log=tmp_path / "log")

    assert sorted(each.name for each in unit(tmp_path, "x").parent.iterdir()) == ["alias.service", "own.service"]


def test_what_is_excluded_goes_with_all_that_is_in_it(tmp_path: Path) -> None:
    for name in ("usr/share/doc/a/x", "usr/share/doc/b", "usr/share/man/m", "etc/motd", "etc/other"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")

    for pattern in ("/usr/share/doc/*", "/usr/*/man", "/etc/mot?", "/nothing/here"):
        finish.exclude(tmp_path, pattern)

    left = sorted(str(each.relative_to(tmp_path)) for each in tmp_path.rglob("*"))
    assert left == ["etc", "etc/other", "usr", "usr/share", "usr/share/doc"]


def test_an_exclude_never_leads_out_of_the_image(tmp_path: Path) -> None:
    outside, tree = tmp_path / "outside", tmp_path / "tree"
    (outside / "keep").mkdir(parents=True)
    tree.mkdir()
    (tree / "escape").symlink_to(outside)
    (tree / "up").symlink_to("../../../outside")

    for pattern in ("/escape/*", "/up/*", "/*/keep"):
        finish.exclude(tree, pattern)

    assert (outside / "keep").is_dir()


def test_a_link_that_is_excluded_goes_itself_and_not_what_it_points_to(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real/file").write_text("")
    (tmp_path / "link").symlink_to("/real")

    finish.exclude(tmp_path, "/link")

    assert [each.name for each in sorted(tmp_path.iterdir())] == ["real"]
    assert (tmp_path / "real/file").exists()
