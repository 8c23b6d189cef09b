"""Is a portfolio in production what it was at certification? Calibrated alarms, anytime-valid intervals, one audit.

detection (alarms, confidence sequences, tests of drift) · reference (what was normal) · watched (which alarms) · live
(`LiveWatch`, sees every answer) · status (what it says) · audit and rounds (of a store or a server) · alerting
(Prometheus rules, gauges, webhooks)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from polyculture.lazy import lazy_exports

if TYPE_CHECKING:
    from .alerting.rules import alert_rules as alert_rules
    from .alerting.webhooks import Webhook as Webhook
    from .alerting.webhooks import WebhookSender as WebhookSender
    from .audit import WatchOptions as WatchOptions
    from .detection.adaptive import AdaptiveWindow as AdaptiveWindow
    from .detection.alarms import CusumBank as CusumBank
    from .detection.alarms import RateAlarm as RateAlarm
    from .detection.sequences import difference_sequence as difference_sequence
    from .detection.sequences import gain_over_best as gain_over_best
    from .detection.sequences import rate_sequence as rate_sequence
    from .live import AlarmChange as AlarmChange
    from .live import LiveWatch as LiveWatch
    from .reference import CertifiedAnswers as CertifiedAnswers
    from .reference import reference_statistics as reference_statistics
    from .rounds import watch_rounds as watch_rounds
    from .watched import default_alarms as default_alarms

_HOMES = {
    "AdaptiveWindow": "detection.adaptive",
    "AlarmChange": "live",
    "CertifiedAnswers": "reference",
    "CusumBank": "detection.alarms",
    "LiveWatch": "live",
    "RateAlarm": "detection.alarms",
    "WatchOptions": "audit",
    "Webhook": "alerting.webhooks",
    "WebhookSender": "alerting.webhooks",
    "alert_rules": "alerting.rules",
    "default_alarms": "watched",
    "difference_sequence": "detection.sequences",
    "gain_over_best": "detection.sequences",
    "rate_sequence": "detection.sequences",
    "reference_statistics": "reference",
    "watch_rounds": "rounds",
}

__all__ = [
    "AdaptiveWindow",
    "AlarmChange",
    "CertifiedAnswers",
    "CusumBank",
    "LiveWatch",
    "RateAlarm",
    "WatchOptions",
    "Webhook",
    "WebhookSender",
    "alert_rules",
    "default_alarms",
    "difference_sequence",
    "gain_over_best",
    "rate_sequence",
    "reference_statistics",
    "watch_rounds",
]

__getattr__, __dir__ = lazy_exports(__name__, _HOMES)
