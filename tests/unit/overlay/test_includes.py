"""What templates may include: files of the site, and facts of the image."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from provisioner.overlay.context import Context, Identity, Surroundings
from provisioner.overlay.imagefacts import ImageFacts
from provisioner.overlay.includes import Includes, SiteFiles
from provisioner.overlay.library import Library
from provisioner.overlay.memo import RenderMemo
from provisioner.overlay.source import WrittenFiles
from provisioner.registry.collect import FileKind, SourceFile
from provisioner.render.environment import Renderer, RenderError
from provisioner.trust.sitekey import SiteKey
from tests.support import resolved
from tests.support.anysite import written
from tests.support.imagefacts import bare, image, includes

RENDERER = Renderer()
IDENTITY = Identity(SiteKey(b"k" * 32))


def context(found: Includes) -> Context:
    return Surroundings(resolved.snapshot(), IDENTITY, includes=found).context(resolved.node())


def text(source: str, found: Includes) -> str:
    return RENDERER.text("t", source, context(found))


def refusal(source: str, found: Includes) -> str:
    with pytest.raises(RenderError) as caught:
        text(source, found)
    return caught.value.message


def test_a_file_of_the_site_is_included_with_all_of_its_lines() -> None:
    assert text("{{ site_file('a/motd') }}|", includes(a__motd="one\ntwo\n")) == "one\ntwo\n|"


@pytest.mark.parametrize("path", ["nothing", "../provisioner.yaml", "/etc/passwd", "", "files/motd"])
def test_no_other_file_is_included(path: str) -> None:
    assert (
        refusal(f"{{{{ site_file('{path}') }}}}", includes(motd="x")) == f"t:1: the site has no file files/{path}"
    )


@pytest.mark.parametrize(("content", "reason"), [(b"\xff", "is not UTF-8 text"), (b"a\0file b", "is no text")])
def test_what_is_no_text_is_not_included(content: bytes, reason: str) -> None:
    files = SiteFiles(WrittenFiles({"files/x": SourceFile(FileKind.FILE, 0o644, content)}))

    assert reason in refusal("{{ site_file('x') }}", Includes(files, lambda _: bare()))


def test_a_symlink_is_not_followed() -> None:
    files = SiteFiles(WrittenFiles({"files/x": SourceFile(FileKind.SYMLINK, 0o777, b"/etc/shadow")}))

    assert "files/x is a symlink, and none is followed" in refusal(
        "{{ site_file('x') }}", Includes(files, lambda _: bare())
    )


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ image.os.ID }} {{ image.os['VERSION_ID'] }}", "debian 12"),
        ("{{ image.generation }} {{ image.kernel }}", "debian-12@1 6.1.0-1-cloud-amd64"),
        ("{{ image.has('sshd') }} {{ image.has('NetworkManager') }}", "True False"),
        ("{{ image.programs['systemd-networkd'] }}", "False"),
        ("{{ image.packages.bash }} {{ 'zsh' in image.packages }}", "5.2 False"),
        ("{{ image.has_unit('getty@tty1.service') }} {{ image.has_unit('x.service') }}", "True False"),
        ("{{ image.uid('munge') }}:{{ image.gid('munge') }}", "998:997"),
        ("{{ image.text('/etc/login.defs') }}", "UMASK 022\nUID_MIN 1000\n"),
        ("{{ image.text('etc/login.defs') | length }} {{ image.has_text('/etc/x') }}", "23 False"),
        ("{{ image.is_known }}", "True"),
    ],
)
def test_the_image_of_a_node_tells_what_it_holds(source: str, expected: str) -> None:
    assert text(source, includes(image())) == expected


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("{{ image.text('/etc/shadow') }}", "the inventory of debian-12@1 keeps no text of '/etc/shadow'"),
        ("{{ image.uid('nobody') }}", "the image debian-12@1 has no user 'nobody'"),
        ("{{ image.gid('nobody') }}", "the image debian-12@1 has no group 'nobody'"),
        ("{{ image.os.NOTHING }}", "the map has no key 'NOTHING'"),
        ("{{ image.nothing }}", "has no field 'nothing'"),
    ],
)
def test_what_an_image_does_not_have_is_an_error(source: str, reason: str) -> None:
    assert reason in refusal(source, includes(image()))


QUESTIONS = ("os.ID", "programs", "packages", "has('sshd')", "has_unit('x')", "uid('x')", "text('/etc/x')")


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (ImageFacts.unknown("the node has no image"), "t:1: the node has no image"),
        (bare(), "t:1: the image debian-12@1 has no inventory: build or import it again"),
    ],
)
def test_of_an_image_that_nothing_is_known_of_every_question_is_an_error(
    question: str, found: ImageFacts, reason: str
) -> None:
    assert refusal(f"{{{{ image.{question} }}}}", includes(found)) == reason
    assert text("{{ image.is_known }}", includes(found)) == "False"


def test_a_context_over_another_image_tells_that_ones_facts() -> None:
    asked: list[str | None] = []

    def image_of(reference: str | None) -> ImageFacts:
        asked.append(reference)
        return image()

    around = Surroundings(resolved.snapshot(), IDENTITY, includes=Includes(SiteFiles(WrittenFiles({})), image_of))
    for reference in (None, "debian-12@7"):
        RENDERER.text("t", "{{ image.kernel }}{{ image.os.ID }}", around.context(resolved.node(), reference))

    assert asked == ["debian-12", "debian-12@7"]


class Counting(Renderer):
    """Counts what is really rendered."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def files(self, path: str, name: str, source: str, context: Mapping[str, object]) -> dict[str, str]:
        self.count += 1
        return super().files(path, name, source, context)


def renders(source: str, *found: Includes) -> int:
    """How often a template is rendered for two nodes in each of these surroundings, one memory behind all."""
    renderer = Counting()
    memo = RenderMemo(renderer)
    for each in found:
        library = Library(written(x=source), memo)
        around = Surroundings(resolved.snapshot(), IDENTITY, includes=each)
        for node in around.nodes:
            assert library.tree(["x"], around.context(node))
    return renderer.count


@pytest.mark.parametrize(
    ("source", "found", "count"),
    [
        ("{{ image.os.ID }}", (includes(image()), includes(image())), 1),
        ("{{ image.os.ID }}", (includes(image(number=1)), includes(image(number=2))), 2),
        ("{{ image.is_known }}", (includes(image()), includes()), 2),
        ("{{ site_file('a') }}", (includes(a="x"), includes(a="x")), 1),
        ("{{ site_file('a') }}", (includes(a="x"), includes(a="y")), 2),
        ("{{ site_file('a') }}", (includes(a="x"), includes(image(), a="x")), 1),
        ("{{ cluster }}", (includes(image(number=1), a="x"), includes(image(number=2), a="y")), 1),
    ],
)
def test_what_is_included_is_shared_by_nodes_and_never_stale(
    source: str, found: tuple[Includes, ...], count: int
) -> None:
    assert renders(source, *found) == count
