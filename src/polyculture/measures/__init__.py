"""How alike are models? Arrays in, numbers out; everything derives from sums that add over chunks and machines.

counts and pairs · effective (the effective number) · systemic · pair_excess and excess_by_ability · calibration ·
ensembles · multiplicity · generalization · scaling · attribution, similarity and streaming (rooms of their own)

A function that has the name of its module has another name here: `effective.effective` is `effective_number`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from polyculture.lazy import lazy_exports

if TYPE_CHECKING:
    from . import effective, effective_vectors, ensembles, generalization, multiplicity, pair_excess, systemic
    from .calibration import BrierScore as BrierScore
    from .calibration import Reliability as Reliability
    from .calibration import RocCurve as RocCurve
    from .calibration import brier as brier
    from .calibration import confusion as confusion
    from .calibration import reliability as reliability
    from .calibration import roc as roc
    from .counts import PairCounts as PairCounts
    from .counts import count as count
    from .counts import total as total
    from .effective import EffectiveNumber as EffectiveNumber
    from .effective_vectors import effective_residuals as effective_residuals
    from .ensembles import LossDecomposition as LossDecomposition
    from .excess_by_ability import JointFailureExcess as JointFailureExcess
    from .excess_by_ability import excess_over_difficulty_and_labels as excess_over_difficulty_and_labels
    from .excess_by_ability import excess_over_rasch as excess_over_rasch
    from .excess_by_ability import tetrachoric as tetrachoric
    from .generalization import AgreementLine as AgreementLine
    from .generalization import ErrorEstimate as ErrorEstimate
    from .generalization import agreement_on_the_line as agreement_on_the_line
    from .generalization import error_without_labels as error_without_labels
    from .leave_one_out import rho_without_each as rho_without_each
    from .multiplicity import Multiplicity as Multiplicity
    from .multiplicity import competing as competing
    from .multiplicity import position as position
    from .multiplicity import rashomon_capacity as rashomon_capacity
    from .multiplicity import self_consistency as self_consistency
    from .pair_excess import PairExcess as PairExcess
    from .pairs import MEASURES as MEASURES
    from .pairs import agreement as agreement
    from .pairs import both_wrong_adjusted as both_wrong_adjusted
    from .pairs import both_wrong_agreement as both_wrong_agreement
    from .pairs import covariance as covariance
    from .pairs import disagreement as disagreement
    from .pairs import double_fault as double_fault
    from .pairs import h as h
    from .pairs import jaccard as jaccard
    from .pairs import kappa as kappa
    from .pairs import lift as lift
    from .pairs import outcome_agreement as outcome_agreement
    from .pairs import phi as phi
    from .pairs import q as q
    from .pairs import reasons as reasons
    from .scaling import FAMILIES as FAMILIES
    from .scaling import LevelShift as LevelShift
    from .scaling import ScalingCurve as ScalingCurve
    from .scaling import find_break as find_break
    from .scaling import fit_curves as fit_curves
    from .scaling import push_through as push_through
    from .scaling import redraw_curves as redraw_curves
    from .structure import StructuralNumber as StructuralNumber
    from .structure import structural as structural
    from .systemic import CommonShock as CommonShock
    from .systemic import FailAtK as FailAtK
    from .systemic import FailureCounts as FailureCounts
    from .systemic import common_shock as common_shock
    from .systemic import common_shock_rate as common_shock_rate
    from .systemic import fail_at_k as fail_at_k
    from .systemic import fail_at_k_curve as fail_at_k_curve
    from .systemic import fail_at_k_expected as fail_at_k_expected
    from .systemic import failure_counts as failure_counts
    from .systemic import poisson_binomial as poisson_binomial

    effective_number = effective.effective
    effective_number_of_vectors = effective_vectors.effective_vectors
    systemic_failures = systemic.systemic
    excess_of_pairs = pair_excess.pair_excess
    cross_entropy_decomposition = ensembles.cross_entropy
    majority_vote_decomposition = ensembles.majority
    squared_error_decomposition = ensembles.squared
    predictive_multiplicity = multiplicity.multiplicity
    disagreement_by_instance = generalization.disagreement

_HOMES = {
    "PairCounts": "counts",
    "count": "counts",
    "total": "counts",
    "MEASURES": "pairs",
    "agreement": "pairs",
    "both_wrong_adjusted": "pairs",
    "both_wrong_agreement": "pairs",
    "covariance": "pairs",
    "disagreement": "pairs",
    "double_fault": "pairs",
    "h": "pairs",
    "jaccard": "pairs",
    "kappa": "pairs",
    "lift": "pairs",
    "outcome_agreement": "pairs",
    "phi": "pairs",
    "q": "pairs",
    "reasons": "pairs",
    "EffectiveNumber": "effective",
    "effective_number": "effective:effective",
    "effective_number_of_vectors": "effective_vectors:effective_vectors",
    "effective_residuals": "effective_vectors",
    "rho_without_each": "leave_one_out",
    "StructuralNumber": "structure",
    "structural": "structure",
    "CommonShock": "systemic",
    "FailAtK": "systemic",
    "FailureCounts": "systemic",
    "common_shock": "systemic",
    "common_shock_rate": "systemic",
    "fail_at_k": "systemic",
    "fail_at_k_curve": "systemic",
    "fail_at_k_expected": "systemic",
    "failure_counts": "systemic",
    "poisson_binomial": "systemic",
    "systemic_failures": "systemic:systemic",
    "PairExcess": "pair_excess",
    "excess_of_pairs": "pair_excess:pair_excess",
    "JointFailureExcess": "excess_by_ability",
    "excess_over_difficulty_and_labels": "excess_by_ability",
    "excess_over_rasch": "excess_by_ability",
    "tetrachoric": "excess_by_ability",
    "BrierScore": "calibration",
    "Reliability": "calibration",
    "RocCurve": "calibration",
    "brier": "calibration",
    "confusion": "calibration",
    "reliability": "calibration",
    "roc": "calibration",
    "LossDecomposition": "ensembles",
    "cross_entropy_decomposition": "ensembles:cross_entropy",
    "majority_vote_decomposition": "ensembles:majority",
    "squared_error_decomposition": "ensembles:squared",
    "Multiplicity": "multiplicity",
    "competing": "multiplicity",
    "position": "multiplicity",
    "predictive_multiplicity": "multiplicity:multiplicity",
    "rashomon_capacity": "multiplicity",
    "self_consistency": "multiplicity",
    "AgreementLine": "generalization",
    "ErrorEstimate": "generalization",
    "agreement_on_the_line": "generalization",
    "disagreement_by_instance": "generalization:disagreement",
    "error_without_labels": "generalization",
    "FAMILIES": "scaling",
    "LevelShift": "scaling",
    "ScalingCurve": "scaling",
    "find_break": "scaling",
    "fit_curves": "scaling",
    "push_through": "scaling",
    "redraw_curves": "scaling",
}
"""Where each name is: its module, and after a colon its name there if that is another one."""

__all__ = [*_HOMES]

__getattr__, __dir__ = lazy_exports(__name__, _HOMES)
