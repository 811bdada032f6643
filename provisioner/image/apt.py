"""Where Debian's packages come from: the machine's own sources of the suite, else Debian's mirrors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from provisioner.errors import ProvisionerError

_MIRROR = "https://deb.debian.org"
_ONE_LINE = re.compile(r"deb\s+(\[[^]]*]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<components>.+)")


def sources(suite: str, *, mirror: str | None = None, etc: Path = Path("/etc/apt")) -> str:
    """The text of a sources file for mmdebstrap: deb822 or one-line entries.

    A `mirror` (URL of an archive that has the suite) is taken alone. Else the entries of this machine for the
    suite are taken, so that a site's own mirror is used without being asked for.
    """
    if mirror is not None:
        return f"deb {_checked(mirror)} {suite} main\n"
    lines = list(_one_line_entries(suite, etc))
    stanzas = list(_stanzas(suite, etc))
    if lines and not stanzas:
        return "\n".join(lines) + "\n"
    return "\n\n".join(stanzas) + "\n" if stanzas else _default(suite)


def write(folder: Path, text: str) -> Path:
    """Write the text of `sources` into a folder under the name that tells apt its format."""
    file = folder / ("debian.list" if text.startswith("deb ") else "debian.sources")
    file.write_text(text)
    return file


def _default(suite: str) -> str:
    archives = [("debian", suite), ("debian", f"{suite}-updates"), ("debian-security", f"{suite}-security")]
    return "".join(f"deb {_MIRROR}/{archive} {each} main\n" for archive, each in archives)


def _stanzas(suite: str, etc: Path) -> Iterator[str]:
    for file in sorted((etc / "sources.list.d").glob("*.sources")):
        for stanza in re.split(r"\n\s*\n", file.read_text(errors="replace").strip()):
            fields = _fields(stanza)
            wanted = _is_debian(
                fields.get("uris", ""), fields.get("suites", ""), fields.get("components", ""), suite
            )
            if wanted and "deb" in fields.get("types", "").split() and fields.get("enabled", "yes") != "no":
                yield stanza


def _fields(stanza: str) -> dict[str, str]:
    pairs = (line.split(":", 1) for line in stanza.splitlines() if re.match(r"[A-Za-z-]+:", line))
    return {key.lower(): value.strip() for key, value in pairs}


def _one_line_entries(suite: str, etc: Path) -> Iterator[str]:
    files = [etc / "sources.list", *sorted((etc / "sources.list.d").glob("*.list"))]
    for file in files:
        for line in file.read_text(errors="replace").splitlines() if file.is_file() else ():
            entry = _ONE_LINE.match(line.split("#")[0].strip())
            if entry and _is_debian(entry["uri"], entry["suite"], entry["components"], suite):
                yield entry[0]


def _is_debian(uris: str, suites: str, components: str, suite: str) -> bool:
    """Whether an entry is of Debian's own archive, or a mirror of it: others have the suite's name too."""
    ours = {suite, f"{suite}-updates", f"{suite}-security"}
    archives = [urlsplit(uri).path.strip("/").rpartition("/")[2] for uri in uris.split()]
    debian = bool(archives) and all(each in {"debian", "debian-security"} for each in archives)
    return debian and set(suites.split()) <= ours and "main" in components.split()


def _checked(mirror: str) -> str:
    scheme = urlsplit(mirror).scheme
    if scheme not in {"http", "https", "file", "copy"} or re.search(r"\s", mirror):
        hint = "give the URL of an archive, such as https://deb.debian.org/debian"
        raise ProvisionerError(f"{mirror!r} is no mirror", hint=hint)
    return mirror
