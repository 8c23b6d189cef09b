"""How alike are these models, which of them differ, and which instances do all of them fail? Predictions in, Audit out.

assembly (audit) · null_models (n_eff and rho against each null) · pairs · leaderboard · systemic_failures · shifts ·
sections (one file per further question) · findings · gates (bounds on an audit) ·
streaming (tables in shards)
"""

from .assembly import audit
from .comparison import compare
from .gates import check
from .options import AuditOptions
from .sections.similarity_by_scale import along_scale
from .texts import text_alikeness

__all__ = ["AuditOptions", "along_scale", "audit", "check", "compare", "text_alikeness"]
