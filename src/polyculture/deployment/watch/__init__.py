"""Is a portfolio in production what it was at certification? Calibrated alarms, anytime-valid intervals, one audit.

detection (alarms, confidence sequences, tests of drift) · reference (what was normal) · watched (which alarms) · live
(`LiveWatch`, sees every answer) · status (what it says) · alerting (Prometheus rules, webhooks)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from polyculture.lazy import lazy_exports

if TYPE_CHECKING:
    from .detection.alarms import CusumBank as CusumBank
    from .detection.alarms import RateAlarm as RateAlarm
    from .detection.sequences import difference_sequence as difference_sequence
    from .detection.sequences import gain_over_best as gain_over_best
    from .detection.sequences import rate_sequence as rate_sequence
    from .live import AlarmChange as AlarmChange
    from .live import LiveWatch as LiveWatch
    from .reference import CertifiedAnswers as CertifiedAnswers
    from .reference import reference_statistics as reference_statistics
    from .watched import default_alarms as default_alarms

_HOMES = {
    "AlarmChange": "live",
    "CertifiedAnswers": "reference",
    "CusumBank": "alarms",
    "LiveWatch": "live",
    "RateAlarm": "alarms",
    "default_alarms": "watched",
    "difference_sequence": "sequences",
    "gain_over_best": "sequences",
    "rate_sequence": "sequences",
    "reference_statistics": "reference",
}

__all__ = [
    "AlarmChange",
    "CertifiedAnswers",
    "CusumBank",
    "LiveWatch",
    "RateAlarm",
    "default_alarms",
    "difference_sequence",
    "gain_over_best",
    "rate_sequence",
    "reference_statistics",
]

__getattr__, __dir__ = lazy_exports(__name__, _HOMES)
