"""A template that never ends or takes all memory, in a process of a person."""

from __future__ import annotations

import gc
import resource
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from provisioner.render import limit
from provisioner.render.environment import Renderer, RenderError
from provisioner.render.limit import limited

# Doubles a list until there is no memory left, within a second.
GREEDY = "{% set n = namespace(x=[1]) %}{% for i in range(60) %}{% set n.x = n.x + n.x %}{% endfor %}"
ENDLESS = "{% for a in range(99999) %}" * 3 + "{% endfor %}" * 3


@pytest.fixture(autouse=True)
def no_garbage() -> Iterator[None]:
    """In a long run of tests a collection takes longer than these limits, and what is raised in it gets lost."""
    gc.disable()
    yield
    gc.enable()


def test_a_template_that_never_ends_is_an_error_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limit, "SECONDS", 0.05)

    with pytest.raises(RenderError, match=r"^overlays/a/x: it took more than 0\.05 s"), limited("overlays/a/x"):
        Renderer().text("x", ENDLESS, {})


def test_an_alarm_that_is_lost_on_its_way_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limit, "SECONDS", 0.05)

    def lose_the_first() -> None:
        with suppress(RenderError):
            Renderer().text("x", ENDLESS, {})
        Renderer().text("x", ENDLESS, {})

    with pytest.raises(RenderError, match="it took more than"), limited("x"):
        lose_the_first()


def test_the_alarm_is_off_afterwards_and_the_former_handler_back() -> None:
    former = signal.getsignal(signal.SIGPROF)

    with limited("x"):
        pass

    assert signal.getsignal(signal.SIGPROF) == former
    assert signal.getitimer(signal.ITIMER_PROF) == (0.0, 0.0)


def test_a_lack_of_memory_is_an_error_with_the_name_too() -> None:
    with pytest.raises(RenderError, match="x: it needs more memory"), limited("x"):
        raise MemoryError


def test_a_template_that_takes_all_memory_is_an_error_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    monkeypatch.setattr(limit, "MEMORY", pages * resource.getpagesize() + (200 << 20))
    before = resource.getrlimit(resource.RLIMIT_AS)

    with pytest.raises(RenderError, match=r"^overlays/a/x: it needs more memory"), limited("overlays/a/x"):
        Renderer().text("x", GREEDY, {})

    assert resource.getrlimit(resource.RLIMIT_AS) == before
