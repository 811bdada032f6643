"""Secrets in overlays: where they may be, what shows of them, and that nothing of them stays."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner.archive.tree import Entry, Kind
from provisioner.overlay.context import Context, Identity, Surroundings
from provisioner.overlay.library import Library
from provisioner.overlay.memo import RenderMemo
from provisioner.overlay.rendered import OverlayKind
from provisioner.overlay.secretbox import SecretSource, SecretWords, fingerprint
from provisioner.overlay.source import WrittenFiles
from provisioner.registry.collect import FileKind, SourceFile
from provisioner.render.environment import Renderer, RenderError
from provisioner.trust.secrets import SecretFolder
from provisioner.trust.sitekey import SiteKey
from tests.support import resolved

KEY = SiteKey(b"k" * 32)
TEMPLATE = "overlays/x/rootfs/etc/x.j2"


@pytest.fixture
def folder(tmp_path: Path) -> SecretFolder:
    found = SecretFolder(tmp_path / "secrets")
    found.write("line", b"tiger\n")
    found.write("lines", b"first\nsecond\n")
    found.write("raw", b"\xff\0key")
    # Names that Python's own parts of a value have.
    found.write("content", b"lion")
    found.write("a.b", b"dotted")
    return found


def written(template: str = "", declared: str = "") -> WrittenFiles:
    texts = {TEMPLATE: template, "overlays/x/overlay.yaml": declared}
    files = {key: SourceFile(FileKind.FILE, 0o644, text.encode()) for key, text in texts.items() if text}
    return WrittenFiles(files)


def context(source: SecretSource | None) -> Context:
    snapshot = resolved.snapshot()
    return Surroundings(snapshot, Identity(KEY), secrets=source).context(snapshot.nodes["n001"])


def made(files: WrittenFiles, source: SecretSource | None, kind: OverlayKind = OverlayKind.SYSTEM) -> list[Entry]:
    return Library(files, RenderMemo(Renderer())).tree(["x"], kind.view(context(source)))


def text(template: str, source: SecretSource | None) -> str:
    (entry,) = made(written(template), source)
    return entry.content.decode()


def failure(template: str, source: SecretSource | None, kind: OverlayKind = OverlayKind.SYSTEM) -> RenderError:
    with pytest.raises(RenderError) as caught:
        made(written(template), source, kind)
    return caught.value


@pytest.mark.parametrize(
    ("template", "shown"),
    [
        ("{{ secrets.line }}", "tiger"),
        ("{{ secrets['line'] | upper }}", "TIGER"),
        ('{{ secrets["a.b"] }}', "dotted"),
        ("{{ secrets.line | yaml }} {{ secrets.line | length }}", '"tiger" 5'),
        ("{% if secrets.line == 'tiger' %}same{% endif %}", "same"),
        ("{{ secrets.line.base64 }}", base64.b64encode(b"tiger\n").decode()),
        ("{{ secrets.raw.base64 }}", base64.b64encode(b"\xff\0key").decode()),
        ("{{ secrets.lines.text }}", "first\nsecond\n"),
        ("{{ secrets.content }}", "lion"),
    ],
)
def test_a_template_gets_the_secrets_that_it_names(folder: SecretFolder, template: str, shown: str) -> None:
    assert text(template, folder) == shown


def test_a_file_with_a_secret_is_closed_unless_its_overlay_says_otherwise(folder: SecretFolder) -> None:
    (closed,) = made(written("{{ secrets.line }}"), folder)
    (declared,) = made(written("{{ secrets.line }}", "files: {etc/x: {mode: '0640', gid: 7}}"), folder)

    assert (closed.mode, closed.uid) == (0o600, 0)
    assert (declared.mode, declared.gid) == (0o640, 7)


def test_a_whole_file_has_the_very_bytes_of_a_secret(folder: SecretFolder) -> None:
    plain = made(written(declared="secrets: {etc/key: raw}"), folder)
    owned = made(written(declared="secrets: {etc/key: raw}\nfiles: {etc/key: {mode: '0400', uid: 5}}"), folder)

    assert plain == [Entry("etc/key", Kind.FILE, b"\xff\0key", 0o600)]
    assert owned == [Entry("etc/key", Kind.FILE, b"\xff\0key", 0o400, 5)]


def test_a_secret_that_is_not_there_is_told_with_the_line_that_asks_for_it(folder: SecretFolder) -> None:
    error = failure("one\n{{ secrets.munge }}", folder)
    with pytest.raises(RenderError) as caught:
        made(written(declared="description: x.\nsecrets:\n  etc/a: line\n  etc/key: munge\n"), folder)

    assert (error.message, error.hint) == (f"{TEMPLATE}:2: there is no secret munge", "prov secret set munge")
    assert caught.value.message == "overlays/x/overlay.yaml:4: there is no secret munge"


def test_a_node_that_does_not_come_to_the_place_needs_no_secret(folder: SecretFolder) -> None:
    assert text("{% if node.tags.none is defined %}{{ secrets.munge }}{% endif %}ok", folder) == "ok"


@pytest.mark.parametrize("template", ["{{ secrets.line }}", "a\n{% if false %}{{ secrets.line }}{% endif %}"])
def test_a_runtime_overlay_may_use_none_even_where_this_node_would_not_see_it(
    folder: SecretFolder, template: str
) -> None:
    error = failure(template, folder, OverlayKind.RUNTIME)

    line = template.count("\n") + 1
    assert error.message == f"{TEMPLATE}:{line}: a runtime overlay cannot use secrets"
    assert "overlays.system" in (error.hint or "")


def test_a_runtime_overlay_may_hold_no_file_of_a_secret(folder: SecretFolder) -> None:
    with pytest.raises(RenderError, match=r"overlay.yaml:1: a runtime overlay cannot use secrets"):
        made(written(declared="secrets: {etc/key: raw}"), folder, OverlayKind.RUNTIME)


@pytest.mark.parametrize(
    "template",
    ["{{ secrets }}", "{{ secrets[node.name] }}", "{% set s = secrets %}{{ s.line }}", "{{ secrets | list }}"],
)
def test_a_template_has_to_name_its_secrets(folder: SecretFolder, template: str) -> None:
    assert "a template names its secrets" in failure(template, folder).message


def test_a_secret_cannot_be_a_part_of_a_path(folder: SecretFolder) -> None:
    assert "part of a path" in failure("{{ file('etc/' ~ secrets.line) }}x", folder).message


def test_a_secret_inside_of_a_list_would_be_stars_in_the_file_and_is_refused(folder: SecretFolder) -> None:
    for template in ("{{ [secrets.line] }}", "{{ {'a': secrets.line} }}"):
        assert "prints as stars" in failure(template, SecretWords(folder)).message
        assert "the template fails" in failure(template, folder).message


FAILING = [
    "{{ secrets.lines }}",
    "{{ secrets.raw }}",
    "{{ secrets.line | refuse }}",
    "{{ secrets.line.nothing }}",
    "{{ secrets.line | domain }} {{ secrets.line ~ '!' | domain }}",
    "{{ (secrets.line ~ '!') | device }}",
    "{{ {'a': 1}[secrets.line] }}",
    "{{ secrets.line | int + secrets.line }}",
    "{{ secrets.line }}{{ file('etc/y') }}",
    "{{ (secrets.line ~ '\\n') }}",
    "{{ '%d' | format(secrets.line) }}",
]


@pytest.mark.parametrize("template", FAILING)
def test_what_a_template_says_of_a_secret_is_not_repeated(folder: SecretFolder, template: str) -> None:
    error = failure(template, folder)

    told = f"{error.message} {error.hint} {error.__cause__} {error.__context__}"
    assert error.message.startswith(TEMPLATE)
    assert "the template fails; what it says is not repeated" in error.message
    assert not [word for word in ("tiger", "first", "second", "key'") if word in told]


@pytest.mark.parametrize("template", FAILING)
def test_the_same_mistake_shows_before_anything_boots_with_words_for_secrets(
    folder: SecretFolder, template: str
) -> None:
    assert failure(template, SecretWords(folder)).message.startswith(f"{TEMPLATE}")


def test_words_for_secrets_tell_their_name_and_their_content_apart_and_nothing_more(folder: SecretFolder) -> None:
    def words(key: SiteKey | None) -> str:
        return text("{{ secrets.line }}", SecretWords(folder, key))

    before = words(KEY)
    folder.write("line", b"lion\n")

    assert words(None) == "<secret line>"
    digest = fingerprint(KEY, "line", b"tiger\n")
    assert before == f"<secret line {digest}>"
    assert words(KEY) not in {before, words(SiteKey(b"x" * 32))}
    assert fingerprint(KEY, "line", b"x") != fingerprint(KEY, "other", b"x")


def test_words_for_a_missing_secret_are_an_error_and_without_a_folder_there_is_every_secret(
    folder: SecretFolder,
) -> None:
    assert "there is no secret munge" in failure("{{ secrets.munge }}", SecretWords(folder)).message
    assert text("{{ secrets.munge }}", None) == "<secret munge>"


def test_a_file_with_a_secret_is_rendered_for_its_node_and_never_kept(folder: SecretFolder) -> None:
    memo = RenderMemo(Renderer())
    library = Library(written("{{ cluster }} {{ secrets.line }}", "secrets: {etc/key: raw}"), memo)
    library.tree(["x"], context(folder))
    folder.write("line", b"lion")
    folder.write("raw", b"other")

    again = {entry.path: entry.content for entry in library.tree(["x"], context(folder))}

    assert again == {"etc/x": b"demo lion", "etc/key": b"other"}
    assert not vars(memo)["_kept"]


def test_nothing_that_can_be_printed_of_a_context_shows_a_secret(folder: SecretFolder) -> None:
    box = Surroundings(resolved.snapshot(), Identity(KEY), secrets=folder).secrets

    shown = f"{box!r} {box['line']!r} {box['lines'].text!r} {box['raw']!r} {box['line'].base64!r}"  # type: ignore[union-attr]  # text is there

    assert not [word for word in ("tiger", "first", "key'", "dGln") if word in shown]


def test_the_pieces_of_an_overlay_tell_which_secrets_they_use() -> None:
    files = written("{{ secrets.b }}{{ secrets.a.base64 }}{{ secrets.b }}", "secrets: {etc/key: c}")
    pieces = Library(files, RenderMemo(Renderer())).pieces(["x"])

    assert [piece.secrets for piece in pieces] == [("a", "b"), ("c",)]


@settings(max_examples=50, deadline=None)
@given(st.binary(min_size=1, max_size=40))
def test_any_bytes_come_through_as_a_whole_file_and_as_base64(content: bytes) -> None:
    class Given(SecretWords):
        def content(self, name: str) -> bytes:
            del name
            return content

    files = written("{{ secrets.s.base64 }}", "secrets: {etc/key: s}")
    found = {entry.path: entry.content for entry in made(files, Given())}

    assert found["etc/key"] == content
    assert base64.b64decode(found["etc/x"], validate=True) == content
