"""A plan refuses what cannot be done."""

from __future__ import annotations

from typing import Any

import pytest

from polyculture.errors import InputError
from polyculture.training.federated import DifferentialPrivacy, FederationPlan


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"algorithm": "fedavgg"},
            "algorithm is 'fedavgg'; expected one of fedavg, fedprox, fedadam, scaffold; did you mean",
        ),
        ({"personalization": "all"}, "personalization is 'all'; expected one of fine-tune, head, none"),
        ({"rounds": 0}, "rounds is 0; expected a whole number, 1 or more."),
        ({"averaged_rounds": 31}, "averaged_rounds is 31 of 30 rounds; expected no more than rounds."),
        ({"local_epochs": 0}, "local_epochs is 0; expected a whole number, 1 or more."),
        ({"client_share": 0.0}, "client_share is 0.0; expected more than 0, 1 at most."),
        ({"client_share": 1.1}, "client_share is 1.1; expected more than 0, 1 at most."),
        ({"dropout": 1.0}, "dropout is 1.0; expected 0 or more, 0.999 at most."),
        ({"proximal": -0.1}, "proximal is -0.1; expected 0 or more."),
        ({"server_rate": 0.0}, "server_rate is 0.0; expected more than 0."),
        ({"rate_decay": float("nan")}, "rate_decay is nan; expected more than 0, 1 at most."),
        (
            {"algorithm": "scaffold", "privacy": DifferentialPrivacy()},
            "'scaffold' with privacy: control variates are neither clipped nor noisy; expected 'fedavg', 'fedprox' or "
            "'fedadam'.",
        ),
    ],
)
def test_what_is_out_of_range_is_refused_in_one_sentence(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        FederationPlan(**options)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"clip": 0.0}, "clip is 0.0; expected more than 0, and finite."),
        ({"noise": -1.0}, "noise is -1.0; expected more than 0, and finite."),
        ({"delta": 1.0}, "delta is 1.0; expected more than 0 and below 1."),
    ],
)
def test_privacy_needs_clipping_noise_and_a_small_delta(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        DifferentialPrivacy(**options)
    assert str(error.value) == message


def test_the_step_of_the_server_falls() -> None:
    plan = FederationPlan(server_rate=0.5, server_decay=0.5)
    assert [plan.step(number) for number in (1, 2, 3)] == [0.5, 0.25, 0.125]
