"""Which shared factor makes models alike? The covariance of errors, split and tested."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polyculture.lazy import lazy_exports

if TYPE_CHECKING:
    from .covariance_split import CovarianceSplit as CovarianceSplit
    from .covariance_split import Factor as Factor
    from .covariance_split import Identifiability as Identifiability
    from .covariance_split import accuracy_controls as accuracy_controls
    from .covariance_split import alias_groups as alias_groups
    from .covariance_split import both as both
    from .covariance_split import by_distance as by_distance
    from .covariance_split import by_level as by_level
    from .covariance_split import by_overlap as by_overlap
    from .covariance_split import correlation as correlation
    from .covariance_split import cramers_v as cramers_v
    from .covariance_split import crossed as crossed
    from .covariance_split import identifiability as identifiability
    from .covariance_split import independent as independent
    from .covariance_split import inflation as inflation
    from .covariance_split import missing_cell as missing_cell
    from .covariance_split import split as split
    from .hypothesis_tests import CoefficientTest as CoefficientTest
    from .hypothesis_tests import PairRegression as PairRegression
    from .hypothesis_tests import arrangements as arrangements
    from .hypothesis_tests import conditional_permutation as conditional_permutation
    from .hypothesis_tests import mrqap as mrqap
    from .hypothesis_tests import node_jackknife as node_jackknife
    from .hypothesis_tests import shapley as shapley
    from .per_instance import StratifiedErrors as StratifiedErrors
    from .per_instance import error_covariance as error_covariance
    from .per_instance import instance_parts as instance_parts

_HOMES = {
    "CovarianceSplit": "covariance_split",
    "Factor": "covariance_split",
    "Identifiability": "covariance_split",
    "accuracy_controls": "covariance_split",
    "alias_groups": "covariance_split",
    "both": "covariance_split",
    "by_distance": "covariance_split",
    "by_level": "covariance_split",
    "by_overlap": "covariance_split",
    "correlation": "covariance_split",
    "cramers_v": "covariance_split",
    "crossed": "covariance_split",
    "identifiability": "covariance_split",
    "independent": "covariance_split",
    "inflation": "covariance_split",
    "missing_cell": "covariance_split",
    "split": "covariance_split",
    "CoefficientTest": "hypothesis_tests",
    "PairRegression": "hypothesis_tests",
    "arrangements": "hypothesis_tests",
    "conditional_permutation": "hypothesis_tests",
    "mrqap": "hypothesis_tests",
    "node_jackknife": "hypothesis_tests",
    "shapley": "hypothesis_tests",
    "StratifiedErrors": "per_instance",
    "error_covariance": "per_instance",
    "instance_parts": "per_instance",
}
"""Where each name is."""

__all__ = [*_HOMES]

__getattr__, __dir__ = lazy_exports(__name__, _HOMES)
