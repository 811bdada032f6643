"""The parts of a stage 1 for another processor that stand in for programs, next to those programs."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner.errors import IntegrityError, UnavailableError
from provisioner.host.run import run
from provisioner.image import libraries, mmdebstrap, stage1
from provisioner.image.codec import Codec
from provisioner.image.kernel import Kernel
from provisioner.image.recipe import MmdebstrapRecipe
from tests.support.imagetree import tree

pytestmark = [pytest.mark.integration, pytest.mark.needs("dracut", "ldd", "arch-test")]

_STAGE1 = Path(__file__).resolve().parents[3] / "images/stage1"
_GETARG = _STAGE1 / "getarg"
_DRACUTS_OWN = Path("/usr/lib/dracut/dracut-util")

_KEYS = st.sampled_from(["a", "b", "ab", "prov.url"])
_VALUES = st.sampled_from(["", "1", "x=y", "/p", "q", '"q r"', '"q', 'u"v w"'])
_WORDS = st.builds(lambda key, sign, value: f"{key}={value}" if sign else key, _KEYS, st.booleans(), _VALUES)
_QUOTED = st.builds(lambda key, value: f'"{key}={value}"', _KEYS, st.sampled_from(["", "1", "q r"]))
_LINES = st.lists(_WORDS | _QUOTED, max_size=5)
_BLANKS = st.sampled_from([" ", "  ", "\t", "\n "])
_ASKED = st.sampled_from(["a", "b", "ab", "prov.url", "a=", "b=1", "a=1", "a=q r", "zz"])


@pytest.mark.parametrize(
    "program", ["/bin/bash", "/usr/bin/curl", "/usr/bin/openssl", "/usr/bin/udevadm", "/bin/ip"]
)
def test_the_libraries_of_a_program_are_those_that_ldd_finds(program: str) -> None:
    loaded = set(re.findall(r"^\s*(\S+) => /", run(["ldd", program]), re.MULTILINE))
    found = libraries.closure(Path("/"), Path(program).resolve())

    assert found is not None
    assert {name for name, path in found.items() if path and not name.startswith("/")} - loaded <= {
        "ld-linux-x86-64.so.2"
    }
    assert loaded <= found.keys()
    assert all(Path(path).is_file() for path in found.values())


def test_dracut_can_call_it_as_its_ldd(tmp_path: Path) -> None:
    ldd = libraries.wrapper(Path("/"), tmp_path / "ldd")

    assert re.search(r"^\tlibc\.so\.6 => /\S*/libc\.so\.6$", run([ldd, "/bin/bash"]), re.MULTILINE)
    refused = subprocess.run([ldd, __file__], capture_output=True, text=True, check=False)
    assert (refused.returncode, refused.stdout) == (1, "\tnot a dynamic executable\n")


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Folders with both names of dracut's own program, and of ours."""
    found = []
    for program in (_DRACUTS_OWN, _GETARG):
        folder = tmp_path_factory.mktemp("words")
        for name in ("dracut-getarg", "dracut-getargs"):
            (folder / name).symlink_to(program)
        found.append(folder)
    return found[0], found[1]


@settings(deadline=None, max_examples=150)
@given(words=_LINES, blank=_BLANKS, asked=_ASKED, name=st.sampled_from(["dracut-getarg", "dracut-getargs"]))
def test_words_of_the_kernel_line_are_found_as_dracuts_own_program_finds_them(
    places: tuple[Path, Path], words: list[str], blank: str, asked: str, name: str
) -> None:
    line = {"CMDLINE": blank.join(words)}
    theirs, ours = (
        subprocess.run([folder / name, asked], env=line, capture_output=True, check=False) for folder in places
    )

    # Theirs crashes where a value is asked for and a word has none.
    if theirs.returncode >= 0:
        assert (ours.returncode, ours.stdout) == (theirs.returncode, theirs.stdout)


def test_an_image_without_the_programs_of_stage_1_hears_which_they_are(tmp_path: Path) -> None:
    root, scratch = tree(tmp_path / "tree", {"usr/lib/modules/6.1/modules.builtin": ""}), tmp_path / "scratch"
    scratch.mkdir()
    kernel = Kernel("6.1", root / "boot/vmlinuz-6.1", root / "usr/lib/modules/6.1", "another")
    wish = stage1.Wish(_STAGE1 / stage1.MODULE, Codec.GZIP)

    with pytest.raises(IntegrityError, match=r"the image lacks .*openssl.*: stage 1 for another takes"):
        stage1.build(root, kernel, wish, output=tmp_path / "stage1", scratch=scratch)
    assert not (tmp_path / "stage1").exists()


def test_packages_whose_scripts_do_not_run_here_are_not_even_fetched(tmp_path: Path) -> None:
    recipe = MmdebstrapRecipe(kind="mmdebstrap", suite="bookworm").model_copy(update={"architecture": "pdp11"})

    with pytest.raises(UnavailableError, match="programs for pdp11 do not run on this machine") as caught:
        mmdebstrap.make_tree(recipe, tmp_path / "tree", sources=tmp_path / "none", log=tmp_path / "log")
    assert "qemu-user-static" in (caught.value.hint or "")
