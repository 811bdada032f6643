"""Secrets on their way to a node: who gets them, when, and that nothing keeps them but their own file."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner

from provisioner.cli.main import prov as prov_command
from provisioner.errors import ProvisionerError
from provisioner.events.history import History
from provisioner.host.run import run
from provisioner.lab.daemon import DaemonCommand, LabDaemon, accepts_connections, prov
from provisioner.model.event import Level
from provisioner.operations import live
from tests.support.daemon import HeadNode, Machine, Tokens, eventually
from tests.support.traces import files_below, traces

pytestmark = [
    pytest.mark.integration,
    pytest.mark.root,
    pytest.mark.needs("curl", "cpio", "ip"),
    pytest.mark.timeout(400),
]

FILES = {
    # In place of a template without end, which would hold every check up.
    "overlays/endless/rootfs/etc/endless.j2": "it ends\n",
    "overlays/broken/rootfs/etc/broken.j2": "mended\n",
    "overlays/vault/rootfs/etc/app.conf.j2": (
        "node={{ node.name }}\npassword={{ secrets.app }}\nkey={{ secrets.raw.base64 }}\n"
        "{% if secrets.app | length > 3 %}{{ secrets.pem.text }}{% endif %}"
    ),
    "overlays/vault/overlay.yaml": "secrets: {etc/raw.key: raw}\nfiles: {etc/raw.key: {mode: '0400', uid: 7}}\n",
    # Fails only with the secret itself: words for it are no device either.
    "overlays/clumsy/rootfs/etc/clumsy.j2": "{{ (secrets.app ~ '!') | device }}\n",
    "overlays/later/rootfs/etc/later.j2": "{{ secrets.app }}\n",
    "groups.d/vault.yaml": (
        "groups:\n"
        "  vault: {overlays: {system: [vault]}, bmc: {password: 'secret:bmc'}}\n"
        "  clumsy: {overlays: {system: [clumsy]}}\n"
        "  later: {overlays: {runtime: [later]}}\n"
    ),
}
EXPORTS = ("hosts", "ansible", "slurm", "genders", "clustershell", "conman", "powerman")


class Vault(NamedTuple):
    """A head node whose site has secrets, and what they are."""

    head: HeadNode
    secrets: dict[str, bytes]

    def machine(self, group: str = "vault") -> Machine:
        """A machine of a group with secrets."""
        machine = self.head.machine()
        text = f"nodes: {{{machine.node}: {{groups: [{group}]}}}}\n"
        self.head.write(f"nodes.d/{machine.node}.yaml", text)
        live.reload(self.head.paths)
        return machine

    def set(self, name: str, content: bytes) -> None:
        """Set a secret as people do."""
        source = self.head.new_file()
        source.write_bytes(content)
        self.head.prov("secret", "set", name, "--from-command", f"cat {source}")
        source.unlink()
        self.secrets[name] = content


@pytest.fixture
def vault(head: HeadNode) -> Vault:
    found = Vault(head, {})
    for name, text in FILES.items():
        head.write(name, text)
    pem = b"-----BEGIN THING-----\n" + os.urandom(20).hex().encode() + b"\n-----END THING-----\n"
    contents = {"app": os.urandom(12).hex().encode() + b"\n", "raw": b"\xff\0" + os.urandom(30), "pem": pem}
    for name, content in {**contents, "bmc": b"calvin-" + os.urandom(6).hex().encode()}.items():
        found.set(name, content)
    live.reload(head.paths)
    return found


def needles(vault: Vault) -> dict[str, bytes]:
    """What must show nowhere: of the text with lines the one in the middle."""
    plain = {name: content.removesuffix(b"\n") for name, content in vault.secrets.items()}
    return {**plain, "pem": plain["pem"].split(b"\n")[1]}


def booted(machine: Machine) -> Tokens:
    """Go through a whole boot as stage 1 and the agent do, up to ready."""
    tokens = machine.start()
    for what in ("kernel", "stage1"):
        assert machine.get(f"/t/{tokens.script}/{what}").status == 200
    sheet = machine.get(f"/t/{tokens.stage1}/sheet").pairs
    assert machine.get(f"/t/{tokens.stage1}/root").status == 200
    archive = machine.get(f"/t/{tokens.stage1}/overlay/system").body
    assert hashlib.sha256(archive).hexdigest() == sheet["overlay_sha256"]
    machine.report(tokens.stage1, "overlay.done")
    system = machine.report(tokens.stage1, "handover.done").text
    assert machine.get(f"/t/{system}/overlay/runtime").status == 200
    machine.report(system, "system.report", state="running")
    machine.reaches("ready")
    return tokens


def unpacked(archive: bytes, folder: Path) -> Path:
    folder.mkdir()
    run(["cpio", "--extract", "--make-directories", "--quiet"], stdin=archive, cwd=folder)
    return folder


def everything_kept(head: HeadNode) -> list[tuple[str, bytes]]:
    """All files of the site, its state and its log, but the secrets themselves."""
    kept = [each for each in files_below(head.paths.site) if not each[0].startswith("secrets/")]
    return [*kept, ("daemon.log", head.daemon.log.read_bytes())]


def told(head: HeadNode, *words: str) -> tuple[str, bytes]:
    """A command and all that it says, whatever its status; in this process, because there are many."""
    result = CliRunner().invoke(prov_command, ["--root", str(head.paths.site), *words])
    assert result.exception is None or isinstance(result.exception, SystemExit | ProvisionerError), (
        result.exception
    )
    assert b"Usage:" not in result.output_bytes, result.output
    return " ".join(words), result.output_bytes + str(result.exception).encode()


def everything_told(head: HeadNode, node: str, folder: Path) -> list[tuple[str, bytes]]:
    """What every command prints that looks at the site, or at a node of it."""
    revision = head.revision
    head.write("overlays/vault/rootfs/etc/new.j2", "{{ secrets.app | upper | lower }}\n")
    commands = [
        ("check",),
        ("check", "--format", "json"),
        ("plan", "--since", revision),
        ("plan", "--since", revision, "--format", "json"),
        ("simulate",),
        *(("simulate", node, "--format", style) for style in ("table", "json")),
        *(("node", "show", node, *extra) for extra in ((), ("--secrets",), ("--format", "json"))),
        ("node", "list", "--format", "json"),
        ("group", "show", "vault", "--secrets"),
        *(("why", node, field) for field in ("bmc.password", "overlays", "boot")),
        *(
            ("overlay", "render", node, *path)
            for path in ((), ("etc/app.conf", "--private"), ("etc/raw.key", "--private"))
        ),
        ("overlay", "render", node, "--output", str(folder)),
        ("overlay", "diff", node, "n001"),
        ("overlay", "diff", node, "--since", revision),
        *(("overlay", verb, "vault") for verb in ("show", "vars", "lint")),
        ("overlay", "list"),
        *(("export", kind) for kind in EXPORTS),
        ("status",),
        ("status", "--format", "json"),
        ("boot", "list", node),
        ("boot", "show", node),
        ("boot", "show", node, "--format", "json"),
        ("history",),
        ("history", "show", "1"),
        ("image", "list"),
        ("secret", "list"),
        ("secret", "list", "--format", "json"),
        ("node", "set", node, "--tag", "a=b", "--yes"),
    ]
    printed = [told(head, *words) for words in commands]
    # As the daemon's user would see it in its journal.
    return [*printed, ("verbose check", head.prov_fails("--verbose", "check").output.encode())]


def test_after_whole_boots_and_every_look_at_them_a_secret_is_in_its_own_file_and_nowhere_else(
    vault: Vault, tmp_path: Path
) -> None:
    head, machine, clumsy, later = vault.head, vault.machine(), vault.machine("clumsy"), vault.machine("later")
    tokens = booted(machine)
    assert machine.get(f"/t/{tokens.stage1}/overlay/system").status == 403
    assert clumsy.get(f"/t/{clumsy.start().stage1}/sheet").status == 422
    assert later.get(f"/t/{later.hand_over()}/overlay/runtime").status == 422
    events = History(head.paths.events)

    printed = everything_told(head, machine.node, tmp_path / "rendered")
    eventually(lambda: events.recent(limit=1))

    secrets = needles(vault)
    assert traces(secrets, printed) == []
    assert traces(secrets, everything_kept(head)) == []
    assert traces(secrets, files_below(tmp_path / "rendered")) == []
    # The search is one that finds what is there.
    own = traces(secrets, files_below(head.paths.site / "secrets"))
    assert own == [f"{name}: {name}" for name in sorted(secrets)]
    words = dict(printed)[f"overlay render {machine.node} etc/app.conf --private"]
    assert b"password=<secret app " in words


def test_a_node_gets_its_secrets_with_its_system_overlay_and_no_proxy_may_keep_them(
    vault: Vault, tmp_path: Path
) -> None:
    machine = vault.machine()
    tokens = machine.start()

    answers = [machine.get(f"/t/{tokens.stage1}/overlay/system") for _ in range(2)]

    assert [answer.status for answer in answers] == [200, 200]
    assert answers[0].body == answers[1].body
    assert answers[0].headers["cache-control"] == "no-store"
    tree = unpacked(answers[0].body, tmp_path / "tree")
    conf, raw = tree / "etc/app.conf", tree / "etc/raw.key"
    assert f"password={vault.secrets['app'].decode()}" in conf.read_text()
    assert vault.secrets["pem"].decode() in conf.read_text()
    assert raw.read_bytes() == vault.secrets["raw"]
    assert [(each.stat().st_mode & 0o777, each.stat().st_uid) for each in (conf, raw)] == [(0o600, 0), (0o400, 7)]


def test_nobody_gets_a_secret_with_another_stage_or_after_the_hand_over_and_who_tries_is_an_alarm(
    vault: Vault,
) -> None:
    machine = vault.machine()
    tokens = machine.start()

    early = machine.get(f"/t/{tokens.script}/overlay/system")
    system = machine.report(tokens.stage1, "handover.done").text
    late = [machine.get(f"/t/{token}/overlay/system") for token in (tokens.stage1, system)]
    sheet = machine.get(f"/t/{tokens.stage1}/sheet")

    assert [each.status for each in (early, *late, sheet)] == [403] * 4
    assert traces(needles(vault), [(each.text, each.body) for each in (early, *late, sheet)]) == []
    for words in ("stage script does not open", "stage stage1 of boot", "stage system does not open"):
        assert machine.saw("access.denied", words).level is Level.ALARM


def test_a_changed_secret_reaches_the_next_boot_without_a_reload_and_changes_no_revision(vault: Vault) -> None:
    machine = vault.machine()
    revision = vault.head.revision
    before = machine.get(f"/t/{machine.start().stage1}/overlay/system").body

    vault.set("app", b"another-one\n")
    machine.hand_over()
    after = machine.get(f"/t/{machine.start().stage1}/overlay/system").body

    assert b"another-one" not in before
    assert b"another-one" in after
    assert vault.head.revision == revision


def test_without_its_secret_a_node_is_told_so_and_every_other_node_boots(vault: Vault) -> None:
    machine, plain = vault.machine(), vault.head.machine()
    vault.head.prov("secret", "delete", "app", "--force")

    failed = vault.head.prov_fails("check")
    answer = machine.get(f"/t/{machine.start().stage1}/overlay/system")

    assert "overlays/vault/rootfs/etc/app.conf.j2:2" in failed.output
    assert "there is no secret app" in failed.output
    expected = "overlays/vault/rootfs/etc/app.conf.j2:2: there is no secret app\n"
    assert (answer.status, answer.text) == (422, expected)
    booted(plain)


def test_a_daemon_takes_a_secret_from_the_credentials_that_it_was_started_with(
    vault: Vault, tmp_path: Path
) -> None:
    head, machine = vault.head, vault.machine()
    (tmp_path / "provisioner.secret.app").write_bytes(b"by-credential")
    head.daemon.stop()
    words = ("env", f"CREDENTIALS_DIRECTORY={tmp_path}", *prov(head.paths, "serve"))
    command = DaemonCommand(words, lambda: accepts_connections(head.paths.control_socket), timeout=90)
    daemon = LabDaemon(head.namespace, command, tmp_path / "log")
    daemon.start()
    try:
        archive = machine.get(f"/t/{machine.start().stage1}/overlay/system").body
    finally:
        daemon.stop()

    assert b"password=by-credential" in archive
    assert vault.secrets["raw"] in archive
