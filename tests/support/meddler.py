"""A man in the middle: an HTTP proxy that alters answers as a file of rules says.

Run as a program: `meddler.py PORT RULES`. RULES is a JSON object: for the end of a path, a pair of texts of which
the first is replaced by the second, or "replay" for the first answer that was ever given there.
"""

from __future__ import annotations

import json
import sys
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

_first: dict[str, bytes] = {}


class Meddler(BaseHTTPRequestHandler):
    """Passes requests on from the address that they come from, so that nobody sees him."""

    def do_GET(self) -> None:
        self._pass()

    def do_POST(self) -> None:
        self._pass()

    def _pass(self) -> None:
        target = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        ahead = HTTPConnection(target.netloc, timeout=60, source_address=(self.client_address[0], 0))
        ahead.request(self.command, self.path.partition(target.netloc)[2], body=body or None)
        answer = ahead.getresponse()
        content = _altered(target.path, answer.read())
        self.send_response(answer.status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        ahead.close()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the library
        """Say nothing."""


def _altered(path: str, content: bytes) -> bytes:
    rules = json.loads(Path(sys.argv[2]).read_text())
    for end, rule in rules.items():
        if path.endswith(end):
            if rule == "replay":
                return _first.setdefault(end, content)
            content = content.replace(rule[0].encode(), rule[1].encode(), 1)
    return content


if __name__ == "__main__":
    ThreadingHTTPServer(("0.0.0.0", int(sys.argv[1])), Meddler).serve_forever()
