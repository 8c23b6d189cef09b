"""How does a panel of chat models judge items, so that no paid answer is lost and no call is made in vain?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from polyculture.lazy import lazy_exports

if TYPE_CHECKING:
    from .bill import judging_bill as judging_bill
    from .options import JudgeOptions as JudgeOptions
    from .study import JudgeResult as JudgeResult
    from .study import judge as judge

__getattr__, __dir__ = lazy_exports(
    __name__, {"JudgeOptions": "options", "JudgeResult": "study", "judge": "study", "judging_bill": "bill"}
)
__all__ = ["JudgeOptions", "JudgeResult", "judge", "judging_bill"]
