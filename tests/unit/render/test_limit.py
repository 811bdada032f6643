"""A template that never ends, in a process of a person."""

from __future__ import annotations

import signal

import pytest

from provisioner.render import limit
from provisioner.render.environment import Renderer, RenderError
from provisioner.render.limit import limited

ENDLESS = "{% for a in range(99999) %}" * 3 + "{% endfor %}" * 3


def test_a_template_that_never_ends_is_an_error_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limit, "SECONDS", 0.05)

    with pytest.raises(RenderError, match=r"^overlays/a/x: it took more than 0\.05 s"), limited("overlays/a/x"):
        Renderer().text("x", ENDLESS, {})


def test_the_alarm_is_off_afterwards_and_the_former_handler_back() -> None:
    former = signal.getsignal(signal.SIGPROF)

    with limited("x"):
        pass

    assert signal.getsignal(signal.SIGPROF) == former
    assert signal.getitimer(signal.ITIMER_PROF) == (0.0, 0.0)


def test_a_lack_of_memory_is_an_error_with_the_name_too() -> None:
    with pytest.raises(RenderError, match="x: it needs more memory"), limited("x"):
        raise MemoryError
