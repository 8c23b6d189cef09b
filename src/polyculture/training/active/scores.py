"""How much would a label of each instance teach? From the probabilities of a committee to one number per instance.

Every function takes m × n × c probabilities of models × instances × classes, and gives n numbers: the larger, the
earlier it is worth asking. A committee of one is a single learner.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.special import entr, rel_entr


def entropy(probabilities: Float[np.ndarray, "m n c"]) -> Float[np.ndarray, " n"]:
    """Entropy of the mean probabilities in nats, in [0, log c].

    Source: Settles 2009, section 3.1.
    """
    mean = probabilities.mean(axis=0, dtype=np.float64)
    return np.asarray(entr(mean).sum(axis=-1))


def margin(probabilities: Float[np.ndarray, "m n c"]) -> Float[np.ndarray, " n"]:
    """Minus the gap between the two largest mean probabilities, in [−1, 0]; of one class −1.

    Of a committee it is the margin of the mean: two members that are sure of different classes leave no gap.
    Source: Scheffer et al. 2001.
    """
    mean = probabilities.mean(axis=0, dtype=np.float64)
    if mean.shape[-1] < 2:
        return np.full(len(mean), -1.0)
    top = np.partition(mean, -2, axis=-1)[:, -2:]
    return np.asarray(top[:, 0] - top[:, 1])


def vote_entropy(probabilities: Float[np.ndarray, "m n c"]) -> Float[np.ndarray, " n"]:
    """Entropy of the members' votes in nats, in [0, log min(m, c)]; equal probabilities vote for the first class.

    Source: Dagan and Engelson 1995.
    """
    m, n, c = probabilities.shape
    votes = probabilities.argmax(axis=-1)
    shares = np.zeros((n, c))
    for member in votes:
        shares[np.arange(n), member] += 1 / m
    return np.asarray(entr(shares).sum(axis=-1))


def kl_to_consensus(probabilities: Float[np.ndarray, "m n c"]) -> Float[np.ndarray, " n"]:
    """Mean Kullback–Leibler divergence of the members from their mean, in nats, in [0, log m].

    It is the entropy of the mean less the mean entropy, so that one member that is always sure, rightly or not, decides
    alone: give it calibrated members only. Source: Settles 2009, section 3.2.
    """
    members = np.asarray(probabilities, np.float64)
    return np.asarray(rel_entr(members, members.mean(axis=0)).sum(axis=-1).mean(axis=0))
