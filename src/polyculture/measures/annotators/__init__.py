"""What do workers who label the same items say together, how good is each, and how sure may one be of it?

annotations (labels of workers) · consensus (answer, posterior, tempered posterior) · agreement · models_of_workers
(vote_share, dawid_skene, one_coin, mace) · difficulty (glad) · dependence (effective workers) · sureness (calibration)
"""

from collections.abc import Callable, Mapping

from .annotations import Annotations
from .consensus import INDEPENDENCE, Consensus
from .dependence import correlation_of, effective_workers, tempering
from .difficulty import glad
from .models_of_workers import dawid_skene, mace, one_coin, vote_share
from .sureness import SURE, Sureness, sureness

METHODS: Mapping[str, Callable[..., Consensus]] = {
    "vote": vote_share,
    "dawid-skene": dawid_skene,
    "one-coin": one_coin,
    "glad": glad,
    "mace": mace,
}
"""Ways to combine labels, by name."""

__all__ = [
    "INDEPENDENCE",
    "METHODS",
    "SURE",
    "Annotations",
    "Consensus",
    "Sureness",
    "correlation_of",
    "dawid_skene",
    "effective_workers",
    "glad",
    "mace",
    "one_coin",
    "sureness",
    "tempering",
    "vote_share",
]
