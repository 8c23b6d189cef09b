"""How is a net trained by clients that keep their data? An algorithm, rounds, who takes part, and what is hidden."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields

from polyculture.errors import InputError, near

ALGORITHMS = ("fedavg", "fedprox", "fedadam", "scaffold")
"""Averaging (McMahan et al. 2017), with a proximal term (Li et al. 2020), with Adam at the server (Reddi et al. 2021),
and with control variates (Karimireddy et al. 2020)."""
PERSONALIZATIONS = ("fine-tune", "head", "none")
"""What each client trains further from the global net: all weights, those of the last layer, or nothing."""


@dataclass(frozen=True)
class DifferentialPrivacy:
    """Privacy of whole clients, as DP-FedAvg (McMahan et al. 2018).

    Every client takes part in a round with probability `client_share`, independently. The norm of its change of the
    weights is cut to `clip`, and the sum of the changes gets normal noise of standard deviation `noise` times `clip`.
    The statistics that a table is standardized by and the scores of rounds are not covered.

    Parameters
    ----------
    clip : largest norm of a client's change.
    noise : standard deviation of the noise as a multiple of `clip`.
    delta : probability δ for which ε is computed; below 1 / clients.

    Examples
    --------
    >>> pc.DifferentialPrivacy(clip=1.0, noise=1.1).delta
    1e-05
    """

    clip: float = 1.0
    noise: float = 1.0
    delta: float = 1e-5

    def __post_init__(self) -> None:
        for name in ("clip", "noise", "delta"):
            if not 0 < getattr(self, name) < (1 if name == "delta" else float("inf")):
                expected = "more than 0 and below 1" if name == "delta" else "more than 0, and finite"
                raise InputError(f"{name} is {getattr(self, name)}", expected)


@dataclass(frozen=True)
class FederationPlan:
    """Algorithm, rounds, participation and privacy of a federation.

    Batches, loss and optimizer are the recipe's; the learning rate is constant within a round. Every client starts a
    round with a new optimizer.

    Parameters
    ----------
    algorithm : one of `ALGORITHMS`.
    rounds : times that the server sends the net and averages what comes back.
    local_epochs : passes of a client over its data in a round.
    uneven_work : whether each client draws its passes from 1 … `local_epochs` anew in every round.
    client_share : share of the clients in a round, drawn without replacement; one client or more.
    dropout : probability that a client of a round does not answer.
    client_rate : learning rate of the clients, also for personalization; None for the recipe's.
    rate_decay : factor of the clients' learning rate from one round to the next.
    proximal : weight μ of half the squared distance from the net of the round, in ``"fedprox"``.
    server_rate : step of the server along the mean change; None for 1, and for ``"fedadam"`` 0.01.
    server_decay : factor of the server's step from one round to the next.
    server_momentum, server_second_momentum, adaptivity : β₁, β₂ and τ of ``"fedadam"``.
    averaged_rounds : the global net is the mean of the nets after this number of last rounds (as Izmailov et al. 2018
        of the epochs of a fit), which scores and personalization go on from; the rounds themselves do not change.
    personalization : one of `PERSONALIZATIONS`.
    personal_epochs : passes of each client over its data after the last round.
    secure : whether the server sees the sum of the clients' messages only, by pairwise masks.
    privacy : of whole clients; None for none.

    Raises InputError for what is out of its range, and for ``"scaffold"`` with privacy.

    Examples
    --------
    >>> pc.FederationPlan("fedprox", rounds=5, proximal=0.01).algorithm
    'fedprox'
    """

    algorithm: str = "fedavg"
    rounds: int = 30
    local_epochs: int = 2
    uneven_work: bool = False
    client_share: float = 1.0
    dropout: float = 0.0
    client_rate: float | None = None
    rate_decay: float = 1.0
    proximal: float = 0.1
    server_rate: float | None = None
    server_decay: float = 1.0
    server_momentum: float = 0.9
    server_second_momentum: float = 0.99
    adaptivity: float = 1e-3
    averaged_rounds: int = 1
    personalization: str = "fine-tune"
    personal_epochs: int = 2
    secure: bool = False
    privacy: DifferentialPrivacy | None = None

    def __post_init__(self) -> None:
        self._check_names()
        for name in ("rounds", "local_epochs", "averaged_rounds", "personal_epochs"):
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise InputError(f"{name} is {value!r}", "a whole number, 1 or more")
        for name, high in _RANGES:
            value = getattr(self, name)
            if value is not None and not (0 < value <= high or (value == 0 and name in _FROM_ZERO)):
                raise InputError(f"{name} is {value}", _range_text(name, high))
        if self.averaged_rounds > self.rounds:
            raise InputError(
                f"averaged_rounds is {self.averaged_rounds} of {self.rounds} rounds", "no more than rounds"
            )
        if self.privacy is not None and self.algorithm == "scaffold":
            wrong = "'scaffold' with privacy: control variates are neither clipped nor noisy"
            raise InputError(wrong, "'fedavg', 'fedprox' or 'fedadam'")

    def _check_names(self) -> None:
        for name, levels in (("algorithm", ALGORITHMS), ("personalization", PERSONALIZATIONS)):
            if getattr(self, name) not in levels:
                raise InputError(f"{name} is {getattr(self, name)!r}", f"one of {', '.join(levels)}", _near(self, name))

    def step(self, number: int) -> float:
        """The server's step along the mean change, or along Adam's, in a round (from 1)."""
        default = 0.01 if self.algorithm == "fedadam" else 1.0
        return (default if self.server_rate is None else self.server_rate) * self.server_decay ** (number - 1)

    def fingerprint(self) -> str:
        """All options as one line of JSON, the same for the same plan."""
        return json.dumps(asdict(self), sort_keys=True)


_INFINITY = float("inf")
_RANGES: Sequence[tuple[str, float]] = (
    ("client_share", 1.0),
    ("dropout", 0.999),
    ("client_rate", _INFINITY),
    ("rate_decay", 1.0),
    ("server_decay", 1.0),
    ("proximal", _INFINITY),
    ("server_rate", _INFINITY),
    ("server_momentum", 0.9999),
    ("server_second_momentum", 0.9999),
    ("adaptivity", _INFINITY),
)
_FROM_ZERO = ("dropout", "proximal", "server_momentum", "server_second_momentum")


def _range_text(name: str, high: float) -> str:
    low = "0 or more" if name in _FROM_ZERO else "more than 0"
    return low if high == _INFINITY else f"{low}, {high:g} at most"


def _near(plan: FederationPlan, name: str) -> str:
    levels = ALGORITHMS if name == "algorithm" else PERSONALIZATIONS
    return near(str(getattr(plan, name)), levels)


OPTIONS = tuple(field.name for field in fields(FederationPlan))
"""Names of all options of a plan."""
