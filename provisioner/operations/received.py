"""Texts that people hand over from outside of the site: files, pipes, editors."""

from __future__ import annotations

from provisioner.errors import ConfigError, Problem


def text_of(label: str, content: bytes) -> str:
    """The text of what was handed over, its lines ended as in Unix.

    `label` names it in messages. Raises ConfigError with the place of the first byte that is not UTF-8.
    """
    try:
        return content.decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - content.rfind(b"\n", 0, error.start)
        raise ConfigError(
            [Problem(label, line, column, "the file is not UTF-8 text", "save it as UTF-8")]
        ) from None
