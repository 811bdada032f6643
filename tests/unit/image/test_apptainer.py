from __future__ import annotations

from pathlib import Path

from provisioner.image import apptainer


def test_what_apptainer_added_goes_and_the_rest_stays(tmp_path: Path) -> None:
    (tmp_path / ".singularity.d").mkdir()
    (tmp_path / "environment").symlink_to(".singularity.d/env/90-environment.sh")
    (tmp_path / ".run").symlink_to("/.singularity.d/actions/run")
    (tmp_path / "singularity").write_text("a program of the site")

    assert apptainer.forget(tmp_path) == ("left out what Apptainer adds: /.singularity.d /environment /.run",)
    assert [path.name for path in tmp_path.iterdir()] == ["singularity"]


def test_a_tree_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    (tmp_path / ".singularity.d").symlink_to("target")
    (tmp_path / "environment").write_text("mine")

    assert apptainer.forget(tmp_path) == ()
    assert len(list(tmp_path.iterdir())) == 3
