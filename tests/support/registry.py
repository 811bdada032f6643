"""Container registries on loopback: Debian's docker-registry, open or guarded, and one that breaks off."""

from __future__ import annotations

import base64
import http.client
import ipaddress
import json
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support import unpacked
from tests.support.daemon import eventually
from tests.support.oci import Layout

USER, PASSWORD = "alice", "correct horse: battery"
HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Registry:
    """One docker-registry: where it listens, the folder with its ca.crt (for TLS), whether it wants a login."""

    address: str
    certificates: Path | None
    guarded: bool
    storage: Path

    def push(self, layout: Layout, descriptor: dict[str, Any], name: str, tag: str) -> None:
        """Upload an image, or an index and its images, with all blobs as they are."""
        document = json.loads(layout.read(descriptor["digest"]))
        for entry in document.get("manifests", ()):
            self.push(layout, entry, name, entry["digest"])
        for part in (*document.get("layers", ()), *([document["config"]] if "config" in document else ())):
            self._upload(name, part["digest"], layout.read(part["digest"]))
        self._send(
            "PUT", f"/v2/{name}/manifests/{tag}", layout.read(descriptor["digest"]), descriptor["mediaType"]
        )

    def blob(self, digest: str) -> Path:
        """Where the registry keeps a blob, to damage it."""
        value = digest.removeprefix("sha256:")
        return self.storage / "docker/registry/v2/blobs/sha256" / value[:2] / value / "data"

    def _upload(self, name: str, digest: str, content: bytes) -> None:
        place = self._send("POST", f"/v2/{name}/blobs/uploads/", b"")
        sign = "&" if "?" in place else "?"
        self._send("PUT", f"{place}{sign}digest={digest}", content, "application/octet-stream")

    def _send(self, method: str, path: str, content: bytes, kind: str = "") -> str:
        connection = http.client.HTTPConnection(self.address)
        path = path.removeprefix(f"http://{self.address}")
        connection.request(method, path, content, {"Content-Type": kind} if kind else {})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        assert answer.status < 300, (method, path, answer.status, body)
        return answer.getheader("Location", "")


@contextmanager
def docker_registry(
    folder: Path, storage: Path, *, authority: Authority | None = None, guarded: bool = False
) -> Iterator[Registry]:
    """Run Debian's docker-registry until the end of the block."""
    folder.mkdir()
    http_part: dict[str, Any] = {"addr": f"{HOST}:0"}
    if authority is not None:
        http_part["tls"] = {key: str(path) for key, path in authority.issue(folder).items()}
    config: dict[str, Any] = {
        "version": "0.1",
        "log": {"level": "info"},
        "storage": {"filesystem": {"rootdirectory": str(storage)}},
        "http": http_part,
    }
    if guarded:
        (folder / "htpasswd").write_text(_htpasswd())
        config["auth"] = {"htpasswd": {"realm": "test", "path": str(folder / "htpasswd")}}
    (folder / "config.yml").write_text(json.dumps(config))
    log = folder / "log"
    command: list[str | Path] = [unpacked.program("usr/bin/docker-registry"), "serve", folder / "config.yml"]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
    try:
        eventually(lambda: "listening on" in log.read_text())
        found = re.search(r"listening on ([\d.]+:\d+)", log.read_text())
        assert found is not None
        yield Registry(found[1], authority.folder if authority else None, guarded, storage)
    finally:
        process.kill()
        process.wait()


def _htpasswd() -> str:
    command: list[str | Path] = [unpacked.program("usr/bin/htpasswd"), "-nbB", USER, PASSWORD]
    done = subprocess.run(command, env=unpacked.environment(), capture_output=True, text=True, check=True)
    return str(done.stdout)


class Authority:
    """A certificate authority of a test's own; `folder` holds its ca.crt."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
        certificate = self._certificate(self._name, self._key.public_key(), authority=True)
        (folder / "ca.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, folder: Path) -> dict[str, Path]:
        """A certificate and key for 127.0.0.1, as files."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
        certificate = self._certificate(name, key.public_key(), authority=False)
        files = {"certificate": folder / "server.crt", "key": folder / "server.key"}
        files["certificate"].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        files["key"].write_bytes(key.private_bytes(*form))
        return files

    def _certificate(
        self, name: x509.Name, key: ec.EllipticCurvePublicKey, *, authority: bool
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        built = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))]), critical=False
            )
        )
        return built.sign(self._key, hashes.SHA256())


class BreakingRegistry:
    """A registry that serves one image of a layout, and holds blobs back in their middle until it may go on."""

    def __init__(self, layout: Layout, descriptor: dict[str, Any]) -> None:
        self.layout = layout
        self.descriptor = descriptor
        self.asked: list[str] = []
        self.held: set[str] = set()
        self.holding = threading.Event()
        self.go_on = threading.Event()
        self._server = ThreadingHTTPServer((HOST, 0), lambda *words: _Breaking(self, *words))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever)

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return f"{HOST}:{self._server.server_address[1]}"

    def __enter__(self) -> BreakingRegistry:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.go_on.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Breaking(BaseHTTPRequestHandler):
    def __init__(self, registry: BreakingRegistry, *words: Any) -> None:
        self._registry = registry
        super().__init__(*words)

    def do_GET(self) -> None:
        kind, reference = self.path.rpartition("/")[0].rpartition("/")[2], self.path.rpartition("/")[2]
        if kind == "manifests":
            wanted = self._registry.descriptor
            self._answer(wanted["digest"], wanted["mediaType"])
        elif kind == "blobs":
            self._registry.asked.append(reference)
            self._answer(reference, "application/octet-stream")
        else:
            self._head("text/plain", 0)

    def do_HEAD(self) -> None:
        self.do_GET()

    def _answer(self, digest: str, kind: str) -> None:
        content = self._registry.layout.read(digest)
        half = len(content) // 2
        self._head(kind, len(content))
        with suppress(OSError):
            self.wfile.write(content[:half])
            self.wfile.flush()
            if digest in self._registry.held:
                self._registry.holding.set()
                self._registry.go_on.wait(60)
            self.wfile.write(content[half:])

    def _head(self, kind: str, size: int) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(size))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def authfile(path: Path, address: str, password: str = PASSWORD) -> Path:
    """A file with the login, as podman login writes it."""
    token = base64.b64encode(f"{USER}:{password}".encode()).decode()
    path.write_text(json.dumps({"auths": {address: {"auth": token}}}))
    return path
