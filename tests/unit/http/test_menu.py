"""The menu of a node, and what a choice means."""

from __future__ import annotations

import pytest

from provisioner.http.menu import chosen, good_generation, menu_of
from provisioner.model.boot import BootRecord, TokenStage
from provisioner.model.bootcontrol import NOTHING, Control, Fallback
from tests.support import resolved


def test_the_first_entry_is_the_boot_that_comes_without_a_choice() -> None:
    menu = menu_of(resolved.node(), "n001 boots debian-12@2", "debian-12@1", has_test=True)

    assert menu.entries[0] == ("boot", "n001 boots debian-12@2")
    assert [word for word, _ in menu.entries] == ["boot", "last-good", "rescue", "disk", "memtest"]


def test_what_there_is_not_is_not_offered() -> None:
    menu = menu_of(resolved.node(), "why", None, has_test=False)

    assert [word for word, _ in menu.entries] == ["boot", "rescue", "disk"]


@pytest.mark.parametrize("word", ["rescue", "disk", "memtest"])
def test_a_choice_is_an_order_for_this_boot_alone(word: str) -> None:
    control = chosen(NOTHING, word, None, now=5.0)

    assert control.once is not None
    assert (control.once.what, control.once.by) == (word, "whoever sits at the machine")


def test_the_last_good_generation_is_the_one_that_was_ready() -> None:
    control = chosen(NOTHING, "last-good", "debian-12@1", now=5.0)

    assert control.once is not None
    assert control.once.generation == "debian-12@1"


@pytest.mark.parametrize("word", ["boot", "", "debian-12@1", "../rescue", "last-good"])
def test_any_other_word_is_the_boot_without_a_choice(word: str) -> None:
    fallback = Control(fallback=Fallback("a@2", "a@1", 1.0, 3))

    assert chosen(fallback, word, None, now=5.0) == fallback


def test_the_newest_generation_that_was_ready_is_the_good_one() -> None:
    def boot(generation: str, state: str, reason: str = "") -> BootRecord:
        return BootRecord("b", "n001", "m", generation, "r", 1.0, TokenStage.SYSTEM, state, 1.0, reason)

    boots = [boot("a@3", "failed"), boot("a@2", "superseded", "was ready"), boot("a@1", "superseded", "was ready")]

    assert good_generation(boots, now=1000.0) == "a@2"
    assert good_generation(boots[:1], now=1000.0) is None
