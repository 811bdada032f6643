"""Logging set-up: one line an event on stderr, as text for people, JSON for machines, or as journald wants it."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Mapping
from enum import StrEnum
from typing import IO

FIELDS = "fields"
"""The attribute of a record that holds what programs want apart: event, node, boot, mac, address."""

# Priorities of syslog(3), which journald takes in front of a line (sd-daemon(3)).
_PRIORITIES = (
    (logging.CRITICAL, 2),
    (logging.ERROR, 3),
    (logging.WARNING, 4),
    (logging.INFO, 6),
    (logging.DEBUG, 7),
)


class Style(StrEnum):
    """How log lines look; `auto` is what journald wants where stderr leads to it, and text elsewhere."""

    AUTO = "auto"
    TEXT = "text"
    JSON = "json"
    JOURNAL = "journal"


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time (Unix seconds), level, logger, message, fields of an event, any exception."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of JSON."""
        fields: dict[str, object] = {
            "time": round(record.created, 6),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, FIELDS, {}),
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields)


class JournalFormatter(logging.Formatter):
    """Lines with the priority in front; journald knows time and program by itself."""

    def format(self, record: logging.LogRecord) -> str:
        """The record, each of its lines with its priority."""
        priority = next((number for level, number in _PRIORITIES if record.levelno >= level), 7)
        lines = super().format(record).splitlines() or [""]
        return "\n".join(f"<{priority}>{line}" for line in lines)


def configure(*, verbose: bool = False, style: Style = Style.TEXT) -> None:
    """Send the log to stderr. Call it once, from an entry point."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_formatter(_settled(style, sys.stderr, os.environ)))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.DEBUG if verbose else logging.INFO)
    # aiohttp's access log repeats what the events already say.
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    logging.getLogger("watchfiles").setLevel(logging.WARNING)


def _formatter(style: Style) -> logging.Formatter:
    match style:
        case Style.JSON:
            return JsonFormatter()
        case Style.JOURNAL:
            return JournalFormatter("%(name)s: %(message)s")
        case _:
            return logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s")


def _settled(style: Style, stream: IO[str], environment: Mapping[str, str]) -> Style:
    if style is not Style.AUTO:
        return style
    # JOURNAL_STREAM names device and inode of what systemd connected; a redirected stderr is something else.
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return Style.TEXT
    is_journal = environment.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
    return Style.JOURNAL if is_journal else Style.TEXT
