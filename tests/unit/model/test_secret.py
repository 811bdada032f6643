"""Secrets stay hidden."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from provisioner.model.device import Bmc
from provisioner.model.secret import HIDDEN, Secret, redacted, reference


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


def test_a_reference_to_a_secret_is_told_because_it_is_none_itself() -> None:
    bmc = Bmc.model_validate({"password": "secret:bmc"})

    assert bmc.password is not None
    assert reference(bmc.password) == "bmc"
    assert redacted({"bmc": {"password": "secret:bmc"}}) == {"bmc": {"password": "secret:bmc"}}
    assert reference("plain") is None


def test_a_reference_to_what_can_be_no_secret_is_refused_without_telling_it() -> None:
    with pytest.raises(ValidationError, match="not a name"):
        Bmc.model_validate({"password": "secret:../key"})


def test_whoever_may_see_secrets_gets_them_in_their_places() -> None:
    assert redacted({"bmc": {"password": "a"}}, reveal=str.upper) == {"bmc": {"password": "A"}}
