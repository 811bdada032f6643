"""Root images by turns: a link that carries four of them at once, and machines that all want one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from provisioner.operations import live
from tests.support.daemon import ROOT, Answer, HeadNode, Machine, eventually, head_node

pytestmark = [pytest.mark.integration, pytest.mark.root, pytest.mark.needs("curl", "busybox")]

SLOTS = 4
# The image has 2 MB: four of them take twelve seconds, more than a machine near the front is held for an answer.
MEGABITS = 6
LINK = f"cidr: 10.66.0.0/24, link: {MEGABITS}Mbit"


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HeadNode]:
    with head_node(tmp_path_factory.mktemp("head")) as head:
        site = (head.paths.site / "provisioner.yaml").read_text()
        head.write("provisioner.yaml", site.replace("cidr: 10.66.0.0/24", LINK))
        head.daemon.start()
        yield head
        head.daemon.stop()
        assert "Traceback" not in head.log()


def fetched(machine: Machine, path: str) -> list[Answer]:
    """What a machine that behaves as stage 1 gets, answer by answer."""
    answers = []
    for _ in range(60):
        answers.append(machine.get(path))
        if answers[-1].status == 200:
            return answers
        time.sleep(int(answers[-1].headers["retry-after"]))
    raise AssertionError(f"{machine.node} was never admitted: {answers[-1].text}")


@contextmanager
def fetching(machines: list[Machine]) -> Iterator[list[Future[list[Answer]]]]:
    """Machines that fetch their root now; nobody leaves a slot behind."""
    paths = [f"/t/{machine.start().stage1}/root" for machine in machines]
    with ThreadPoolExecutor(len(machines)) as pool:
        yield [pool.submit(fetched, machine, path) for machine, path in zip(machines, paths, strict=True)]


def started(head: HeadNode, count: int) -> Callable[[], bool]:
    """Whether so many connections of the daemon have an image in their buffers."""
    words = ["ss", "--no-header", "--tcp", "--numeric", "state", "established", "sport = :8080"]
    return lambda: sum(int(line.split()[1]) > 0 for line in head.namespace.run(words).splitlines()) >= count


def test_who_comes_when_the_link_is_full_is_told_its_place_and_comes_through_in_the_end(head: HeadNode) -> None:
    first, late = [head.machine() for _ in range(SLOTS)], head.machine()
    path = f"/t/{late.start().stage1}/root"

    with fetching(first) as transfers:
        eventually(started(head, SLOTS))
        answers = fetched(late, path)

    assert [each.result()[-1].body == ROOT for each in transfers] == [True] * SLOTS
    *refused, given = answers
    assert given.body == ROOT
    assert refused, "it did not have to wait"
    assert refused[0].status == 503
    assert refused[0].headers["x-queue-place"] == "1"
    assert int(refused[0].headers["x-queue-seconds"]) > 0
    assert refused[0].text.startswith("the root image waits: place 1 of 1, about ")
    late.saw("image.waiting", "place 1 of 1")
    late.saw("image.admitted", "its turn came after")
    assert len(late.events("image.waiting")) == 1


def test_nothing_else_waits_behind_images(head: HeadNode) -> None:
    first, other = [head.machine() for _ in range(SLOTS)], head.machine()

    with fetching(first) as transfers:
        eventually(started(head, SLOTS))
        tokens = other.start()
        answers = [
            other.get(f"/t/{tokens.script}/kernel"),
            other.get(f"/t/{tokens.stage1}/sheet"),
            other.get(f"/t/{tokens.stage1}/overlay/system"),
            other.get(f"/t/{tokens.stage1}/root", "--head"),
            other.report(tokens.stage1, "stage1.started"),
        ]
        still_under_way = [each for each in transfers if not each.done()]

    assert [answer.status for answer in answers] == [200] * 5
    assert len(still_under_way) == SLOTS


def test_the_kernel_paces_the_images_to_the_link(head: HeadNode) -> None:
    began = time.monotonic()

    with fetching([head.machine() for _ in range(2)]) as transfers:
        assert [each.result()[-1].body == ROOT for each in transfers] == [True, True]

    # Two images over nine tenths of the link; a little goes ahead of the pace at first.
    assert time.monotonic() - began > 0.7 * 2 * len(ROOT) / (0.9 * MEGABITS * 1e6 / 8)


def test_a_transfer_that_goes_on_where_it_broke_off_does_not_wait_again(head: HeadNode) -> None:
    broken, others, late = head.machine(), [head.machine() for _ in range(SLOTS - 1)], head.machine()
    path = f"/t/{broken.start().stage1}/root"
    assert broken.get(path, "--range", "0-999").body == ROOT[:1000]

    with fetching([*others, late]) as transfers:
        eventually(started(head, SLOTS - 1))
        rest = broken.get(path, "--range", "1000-1999")
        still_under_way = [each for each in transfers if not each.done()]
        # The last byte gives its slot back.
        broken.get(path, "--range", "-1")

    assert (rest.status, rest.body) == (206, ROOT[1000:2000])
    assert len(still_under_way) == SLOTS


def test_a_daemon_that_is_stopped_in_the_middle_of_images_ends_and_the_order_begins_anew(head: HeadNode) -> None:
    machines = [head.machine() for _ in range(SLOTS)]
    paths = [f"/t/{machine.start().stage1}/root" for machine in machines]
    with ThreadPoolExecutor(SLOTS) as pool:
        for machine, path in zip(machines, paths, strict=True):
            pool.submit(machine.get, path)
        eventually(started(head, SLOTS))
        head.daemon.stop()
    head.daemon.start()

    machines[0].saw("root.broken")
    assert machines[0].get(paths[0]).body == ROOT


def test_a_full_rack_takes_one_image_after_the_other_while_others_pass(head: HeadNode) -> None:
    site = (head.paths.site / "provisioner.yaml").read_text()
    head.write("provisioner.yaml", f"{site}pace: {{tag: rack, each: 3Mbit}}\n")
    one, two, elsewhere = head.machine(), head.machine(), head.machine()
    tags = "".join(f"  {each.node}: {{tags: {{rack: r1}}}}\n" for each in (one, two))
    head.write("nodes.d/tags.yaml", f"nodes:\n{tags}")
    answer = live.reload(head.paths)
    assert answer is not None
    assert answer["problems"] == []

    with fetching([one, two]) as transfers:
        eventually(started(head, 1))
        passes = elsewhere.get(f"/t/{elsewhere.start().stage1}/root", "--range", "-1000")
        eventually(lambda: any(each.done() for each in transfers))
        # Half of what the link carries: one after the other, where the link alone would take both at once.
        assert [each.done() for each in transfers].count(True) == 1

    assert passes.body == ROOT[-1000:]
    assert [each.result()[-1].body == ROOT for each in transfers] == [True, True]
