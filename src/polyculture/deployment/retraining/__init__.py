"""Should a successor take over? It is trained on old and new data, compared with the champion, and promoted or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polyculture.lazy import lazy_exports

if TYPE_CHECKING:
    from .comparison import ChampionComparison as ChampionComparison
    from .pointer import roll_back as roll_back
    from .study import RetrainOptions as RetrainOptions
    from .study import RetrainResult as RetrainResult
    from .study import retrain as retrain

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "ChampionComparison": "comparison",
        "RetrainOptions": "study",
        "RetrainResult": "study",
        "retrain": "study",
        "roll_back": "pointer",
    },
)
__all__ = ["ChampionComparison", "RetrainOptions", "RetrainResult", "retrain", "roll_back"]
