"""Secrets stay hidden."""

from __future__ import annotations

from provisioner.model.device import Bmc
from provisioner.model.secret import HIDDEN, Secret, redacted


def test_a_secret_does_not_show_itself_in_what_programs_print_of_objects() -> None:
    bmc = Bmc.model_validate({"password": "tiger"})

    assert "tiger" not in repr(bmc)
    assert isinstance(bmc.password, Secret)
    assert bmc.password.reveal() == "tiger"


def test_a_record_is_redacted_at_every_secret_path_and_nowhere_else() -> None:
    record = {"name": "n1", "bmc": {"password": "tiger", "ip": "10.0.0.9"}, "tags": {"password": "x"}}

    assert redacted(record) == {
        "name": "n1",
        "bmc": {"password": HIDDEN, "ip": "10.0.0.9"},
        "tags": {"password": "x"},
    }


def test_a_secret_that_is_not_set_stays_unset() -> None:
    assert redacted({"bmc": {"password": None}}) == {"bmc": {"password": None}}
