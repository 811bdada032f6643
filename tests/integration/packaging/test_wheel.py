"""The wheel: what is installed from it finds the data that ships with it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

CHECKOUT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package as pip installs it from a wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(CHECKOUT)]
    subprocess.run([*pip, *build], check=True, timeout=100)
    wheel = next(folder.glob("*.whl"))
    target = folder / "site"
    subprocess.run([*pip, "install", "--no-deps", "--target", str(target), str(wheel)], check=True, timeout=100)
    return target


def prov(installed: Path, cwd: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "provisioner", "--root", str(cwd / "site"), *words],
        check=True,
        capture_output=True,
        text=True,
        cwd=cwd,
        env={"PYTHONPATH": str(installed), "PATH": "/usr/bin:/bin"},
    )
    return done.stdout


def test_an_installed_package_is_not_the_checkout(installed: Path, tmp_path: Path) -> None:
    code = "import provisioner; print(provisioner.__file__)"
    env = {"PYTHONPATH": str(installed), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=tmp_path, env=env
    )

    assert done.stdout.strip() == str(installed / "provisioner" / "__init__.py")


def test_shipped_overlays_are_found(installed: Path, tmp_path: Path) -> None:
    assert "hostname" in prov(installed, tmp_path, "overlay", "list")


def test_a_new_site_compiles_with_shipped_templates_only(installed: Path, tmp_path: Path) -> None:
    prov(installed, tmp_path, "init", "--cluster", "demo", "--network", "10.0.0.0/16")

    assert prov(installed, tmp_path, "check").startswith("ok: 0 nodes")


def test_stage_1_and_the_recipes_are_inside(installed: Path) -> None:
    data = installed / "provisioner" / "data" / "images"

    assert (data / "stage1" / "90provisioner" / "stage1.sh").read_text().startswith("#!/bin/sh")
    assert (data / "debian-12" / "recipe.yaml").is_file()
