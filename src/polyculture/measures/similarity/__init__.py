"""How alike are outputs that are not right or wrong: probabilities, texts, representations, explanations?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from polyculture.lazy import lazy_exports

if TYPE_CHECKING:
    from .explanation_agreement import REASON_MEASURES as REASON_MEASURES
    from .explanation_agreement import ReasonAgreement as ReasonAgreement
    from .explanation_agreement import effective_of_similarity as effective_of_similarity
    from .explanation_agreement import effective_reasons as effective_reasons
    from .explanation_agreement import mismatched_agreement as mismatched_agreement
    from .explanation_agreement import reason_agreement as reason_agreement
    from .explanation_agreement import repeat_agreement as repeat_agreement
    from .explanations import ExplanationAgreement as ExplanationAgreement
    from .explanations import cosine as cosine
    from .explanations import sign_agreement as sign_agreement
    from .explanations import spearman as spearman
    from .explanations import top_k as top_k
    from .matrices import MatrixCorrelation as MatrixCorrelation
    from .matrices import mantel as mantel
    from .probabilities import ProbabilitySums as ProbabilitySums
    from .probabilities import capa as capa
    from .probabilities import capa_of as capa_of
    from .probabilities import hellinger_squared as hellinger_squared
    from .probabilities import probability_sums as probability_sums
    from .representations import CalibratedSimilarity as CalibratedSimilarity
    from .representations import HsicSums as HsicSums
    from .representations import calibrate as calibrate
    from .representations import cka as cka
    from .representations import cka_matrix as cka_matrix
    from .representations import cka_of as cka_of
    from .representations import distance_ranks as distance_ranks
    from .representations import hsic_sums as hsic_sums
    from .representations import mutual_knn as mutual_knn
    from .representations import procrustes as procrustes
    from .representations import rsa as rsa
    from .texts import TextSimilarity as TextSimilarity
    from .texts import effective_by_similarity as effective_by_similarity
    from .texts import text_similarity as text_similarity

_HOMES = {
    "ProbabilitySums": "probabilities",
    "capa": "probabilities",
    "capa_of": "probabilities",
    "hellinger_squared": "probabilities",
    "probability_sums": "probabilities",
    "CalibratedSimilarity": "representations",
    "HsicSums": "representations",
    "calibrate": "representations",
    "cka": "representations",
    "cka_matrix": "representations",
    "cka_of": "representations",
    "distance_ranks": "representations",
    "hsic_sums": "representations",
    "mutual_knn": "representations",
    "procrustes": "representations",
    "rsa": "representations",
    "MatrixCorrelation": "matrices",
    "mantel": "matrices",
    "TextSimilarity": "texts",
    "effective_by_similarity": "texts",
    "text_similarity": "texts",
    "ExplanationAgreement": "explanations",
    "cosine": "explanations",
    "sign_agreement": "explanations",
    "spearman": "explanations",
    "top_k": "explanations",
    "REASON_MEASURES": "explanation_agreement",
    "ReasonAgreement": "explanation_agreement",
    "effective_of_similarity": "explanation_agreement",
    "effective_reasons": "explanation_agreement",
    "mismatched_agreement": "explanation_agreement",
    "reason_agreement": "explanation_agreement",
    "repeat_agreement": "explanation_agreement",
}
"""Where each name is."""

__all__ = [*_HOMES]

__getattr__, __dir__ = lazy_exports(__name__, _HOMES)
