"""What is refused: every refusal has a body that says why, and the ones that nobody honest causes are alarms."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from provisioner.model.event import Level
from tests.support.daemon import URL, Answer, HeadNode, Machine, eventually

pytestmark = [pytest.mark.integration, pytest.mark.root, pytest.mark.needs("curl", "busybox")]

STRANGER = "52-54-00-99-99-99"


def assert_explained(answer: Answer, status: int) -> None:
    assert answer.status == status
    assert answer.body
    assert answer.headers["content-length"] == str(len(answer.body))


def assert_denied(head: HeadNode, machine: Machine, message: str) -> None:
    """An alarm with this message comes, from a machine that has proven nothing but its address."""
    expected = (message, machine.address, Level.ALARM)
    eventually(
        lambda: expected in [(each.message, each.address, each.level) for each in head.events("access.denied")]
    )


@pytest.mark.parametrize(
    ("stage", "resource"),
    [
        *(("script", resource) for resource in ("root", "sheet", "overlay/system", "overlay/runtime")),
        *(("stage1", resource) for resource in ("kernel", "stage1", "overlay/runtime")),
        *(("system", resource) for resource in ("kernel", "stage1", "sheet", "root", "overlay/system")),
    ],
)
def test_a_token_opens_nothing_that_its_stage_does_not_need(machine: Machine, stage: str, resource: str) -> None:
    tokens = machine.start()
    system = machine.report(tokens.stage1, "handover.done").text if stage == "system" else ""
    token = {"script": tokens.script, "stage1": tokens.stage1, "system": system}[stage]

    answer = machine.get(f"/t/{token}/{resource}")

    assert_explained(answer, 403)
    assert answer.text == f"refused: a token of stage {stage} does not open {resource}\n"
    machine.saw("access.denied", resource)


def test_a_token_of_a_closed_stage_is_refused_and_is_an_alarm_of_that_node(
    head: HeadNode, machine: Machine
) -> None:
    tokens = machine.start()
    machine.get(f"/t/{tokens.stage1}/sheet")

    answer = machine.get(f"/t/{tokens.script}/kernel")

    assert_explained(answer, 403)
    assert f"stage script of boot {machine.boot.id} is closed" in answer.text
    alarm = machine.saw("access.denied", "is closed")
    assert (alarm.level, alarm.address, alarm.mac) == (Level.ALARM, machine.address, machine.mac)
    assert f"{machine.node}: GET kernel: stage script of boot" in head.prov("status")


def test_a_hand_over_may_be_repeated_because_its_answer_may_get_lost(machine: Machine) -> None:
    tokens = machine.start()
    machine.report(tokens.stage1, "handover.done")

    again = machine.report(tokens.stage1, "handover.done")

    assert again.status == 200
    assert machine.report(again.text, "system.report", state="running").status == 200
    assert_explained(machine.get(f"/t/{tokens.stage1}/root"), 403)
    assert_explained(machine.get(f"/t/{tokens.script}/kernel"), 403)


def test_once_the_system_has_reported_its_world_readable_kernel_line_gives_nobody_a_token(
    machine: Machine,
) -> None:
    tokens = machine.start()
    system = machine.report(tokens.stage1, "handover.done").text
    machine.report(system, "system.report", state="running")

    assert_explained(machine.report(tokens.stage1, "handover.done"), 403)
    assert_explained(machine.report(tokens.stage1, "failed", reason="a lie"), 403)


def test_a_token_of_an_earlier_boot_is_refused(machine: Machine) -> None:
    old = machine.hand_over()
    machine.start()

    answer = machine.report(old, "system.report", state="running")

    assert_explained(answer, 403)
    assert "the machine has booted again since" in answer.text


def test_a_fetch_without_a_token_is_refused_by_name(head: HeadNode, machine: Machine) -> None:
    for path in ("/root", "/t/root", "/t//root"):
        assert_explained(machine.get(path), 403)
    assert_denied(head, machine, "GET root: the request carries no token")


def test_a_forged_or_altered_token_is_refused(head: HeadNode, machine: Machine) -> None:
    token = machine.start().stage1
    altered = f"{token[:5]}{'A' if token[5] != 'A' else 'B'}{token[6:]}"

    for wrong in (altered, token[:-4], "x", "a.b", "%00", "A" * 3000):
        assert_explained(machine.get(f"/t/{wrong}/root"), 403)
    assert_denied(head, machine, "GET root: the token was not issued by this site, or was altered")


def test_an_unknown_machine_gets_a_script_that_names_its_mac_and_what_to_type(
    head: HeadNode, machine: Machine
) -> None:
    asked = machine.get(f"/boot/{STRANGER}")
    answer = machine.get(f"/boot/{STRANGER}?serial=SN1")

    assert (asked.status, answer.status) == (200, 200)
    assert "serial=${serial:uristring}" in asked.text
    assert "prov discover accept 52:54:00:99:99:99" in answer.text
    eventually(lambda: "52:54:00:99:99:99" in [event.mac for event in head.events("script.unknown")])


def test_a_node_without_an_image_gets_a_script_that_says_so(head: HeadNode) -> None:
    answer = head.bare.get(f"/boot/{head.bare.mac}")

    assert answer.status == 200
    assert "bare has no image" in answer.text
    assert "prov node set bare --image NAME" in answer.text
    assert head.bare.saw("script.refused").level is Level.WARNING


def test_what_is_no_mac_is_a_bad_request(machine: Machine) -> None:
    for wrong in ("zz", "52:54:00:00:00", "%00", "..%2f.."):
        assert_explained(machine.get(f"/boot/{wrong}"), 400)


def test_a_template_that_fails_costs_its_own_node_and_names_file_and_line(head: HeadNode) -> None:
    answer = head.broken.get(f"/t/{head.broken.start().stage1}/sheet")

    assert_explained(answer, 422)
    assert "overlays/broken/rootfs/etc/broken.j2:2: " in answer.text
    assert "nothing" in answer.text
    eventually(lambda: any("broken.j2:2" in event.message for event in head.events("http.failed")))
    assert "broken.j2:2" in head.prov("status")


@pytest.mark.parametrize(
    "path",
    [
        "/loader/../../etc/passwd",
        "/loader/%2e%2e/%2e%2e/etc/passwd",
        "/loader/..%2f..%2fetc%2fpasswd",
        "/loader/%00",
        "/t/x/y/z",
        "/t/%ff%fe/nothing",
        "//etc/passwd",
        "/%00",
        "/",
        "/*",
    ],
)
def test_a_hostile_path_leads_nowhere(machine: Machine, path: str) -> None:
    answer = machine.get(path)

    assert_explained(answer, 404)
    assert b"root:" not in answer.body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "FOO"])
def test_another_method_is_refused_with_a_body(machine: Machine, method: str) -> None:
    answer = machine.get(f"/boot/{machine.mac}", "--request", method)

    assert answer.status in {400, 404, 405}
    assert_explained(answer, answer.status)


@pytest.mark.parametrize("header", [f"X-Long: {'b' * 20_000}", "Content-Length: abc", "Expect: miracles"])
def test_a_header_that_nobody_honest_sends_is_refused_with_a_body(machine: Machine, header: str) -> None:
    answer = machine.get("/autoexec.ipxe", "--header", header)

    assert 400 <= answer.status < 500
    assert_explained(answer, answer.status)


def test_what_is_not_http_is_answered_and_does_not_fill_the_log(head: HeadNode, machine: Machine) -> None:
    before = len(head.log())

    for garbage in (r"\0\0\0\0\r\n\r\n", r"\026\003\001\002", r"GET / HTTP/9.9\r\n\r\n", r"GET\r\n\r\n"):
        head.namespace.run(["sh", "-c", f"printf '{garbage}' | timeout 5 busybox nc 10.66.0.1 8080 || true"])

    who = re.findall(r"^[\d-]+ [\d:,]+ [A-Z]+ +(\S+): ", head.log()[before:], re.MULTILINE)
    # It tries the overlays of all nodes in its own time, and two of them cannot be rendered.
    assert set(who) <= {"provisioner.daemon.lookout"}
    assert machine.get("/autoexec.ipxe").status == 200


@pytest.mark.parametrize("encoding", ["Content-Type: text/plain", "Transfer-Encoding: chunked"])
def test_a_report_of_a_megabyte_is_refused(machine: Machine, tmp_path: Path, encoding: str) -> None:
    (tmp_path / "body").write_bytes(b"event=failed\n" + b"x" * 1_000_000)
    token = machine.start().stage1

    answer = machine.get(f"/t/{token}/report", "--data-binary", f"@{tmp_path / 'body'}", "--header", encoding)

    assert_explained(answer, 413)


@pytest.mark.parametrize(
    ("event", "facts"),
    [
        ("surprise", {}),
        ("failed", {"Reason": "upper case"}),
        ("failed", {"uptime": "soon"}),
        ("failed", {"uptime": "inf"}),
        ("failed", {"reason": "\x1b[2J"}),
        ("failed", {"reason": "\x9b2J"}),
        ("system.report", {"state": "running"}),
    ],
)
def test_a_report_that_says_something_else_is_a_bad_request(
    machine: Machine, event: str, facts: dict[str, str]
) -> None:
    assert_explained(machine.report(machine.start().stage1, event, **facts), 400)
    assert machine.boot.state != "failed"


def test_nothing_is_listening_but_what_the_site_asks_for(head: HeadNode) -> None:
    listening = head.namespace.run(["ss", "--no-header", "-lnt"]).splitlines()

    found = {line.split()[3] for line in listening}
    assert found == {f"{URL.removeprefix('http://')}", "10.66.0.1:53", "10.66.0.1:10809"}


def test_a_script_is_not_given_to_another_machine_and_the_attempt_is_an_alarm(head: HeadNode) -> None:
    victim, thief = head.machine(), head.machine()
    system = victim.hand_over()

    answer = thief.get(f"/boot/{victim.mac.hyphenated}")

    assert answer.status == 200
    assert "/t/" not in answer.text
    assert f"{thief.address} asks for the script of {victim.node}" in answer.text
    eventually(
        lambda: (thief.address, Level.ALARM) in [(e.address, e.level) for e in head.events("script.stranger")]
    )
    assert victim.report(system, "system.report", state="running").status == 200


def test_a_head_request_for_a_script_opens_no_boot(machine: Machine) -> None:
    system = machine.hand_over()

    answer = machine.get(f"/boot/{machine.mac.hyphenated}", "--head")

    assert answer.status == 404
    assert machine.report(system, "system.report", state="running").status == 200


def test_a_running_system_cannot_speak_for_stage_1(machine: Machine) -> None:
    system = machine.hand_over()

    answer = machine.report(system, "failed", reason="made up")

    assert_explained(answer, 400)
    assert machine.boot.state == "system"


def test_a_token_is_of_no_use_to_another_node_and_its_use_there_is_an_alarm(
    head: HeadNode, machine: Machine
) -> None:
    thief = head.machine()
    for token, resource in (
        (machine.start().stage1, "sheet"),
        (machine.hand_over(), "overlay/runtime"),
    ):
        answer = thief.get(f"/t/{token}/{resource}")

        assert_explained(answer, 403)
        reason = f"a token of {machine.node} comes from another node, and not from {machine.address}"
        assert answer.text == f"refused: {reason}\n"
        assert_denied(head, thief, f"GET {resource}: {reason}")


def test_boots_and_running_nodes_outlive_a_rotation_of_the_key(head: HeadNode, machine: Machine) -> None:
    system, other = machine.hand_over(), head.machine()
    tokens = other.start()

    head.prov("keys", "rotate")

    assert other.get(f"/t/{tokens.stage1}/sheet").status == 200
    renewed = machine.report(system, "system.report", state="running").text
    head.prov("keys", "rotate")
    assert machine.get(f"/t/{system}/overlay/runtime").status == 403
    assert machine.report(renewed, "system.report", state="running").status == 200
