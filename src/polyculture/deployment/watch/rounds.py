"""How is production watched again and again? An audit per round; changes of alarms go to webhooks."""

from __future__ import annotations

import time as clock
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from polyculture.errors import InputError
from polyculture.results import Audit

from .alerting.webhooks import Webhook
from .audit import WatchOptions, watch
from .live import AlarmChange


@dataclass(frozen=True, eq=False)
class WatchRound:
    """One look at production.

    Parameters
    ----------
    audit : led by the section ``"watch"``.
    notes : webhooks that did not take the changes, a sentence each.
    """

    audit: Audit
    notes: tuple[str, ...] = ()

    @property
    def alarms_up(self) -> tuple[str, ...]:
        """Names of the alarms that are up."""
        return tuple(self.audit.facts["alarms_up"])


def watch_rounds(
    source: str,
    bundle: str | Path | None = None,
    options: WatchOptions | None = None,
    seconds: float = 0.0,
    webhooks: Sequence[str] = (),
) -> Iterator[WatchRound]:
    """Audits of a store or server, one after another; each reads all answers that the options allow.

    Parameters
    ----------
    source, bundle, options : as of `watch`.
    seconds : from the end of a round to the next; 0 for one round.
    webhooks : addresses that hear of alarms that went up or down since the last round; first of all that are up.

    Raises InputError for a negative time, and what `watch` raises.
    """
    if not seconds >= 0:
        raise InputError(f"a pause of {seconds:g} seconds", "a number of seconds, at least 0")
    targets = [Webhook(url) for url in webhooks]
    raised: tuple[str, ...] = ()
    while True:
        audit = watch(source, bundle, options)
        changes = alarm_changes(audit, raised)
        name = Path(bundle).name if bundle else str(audit.facts.get("bundle", ""))
        notes = [target.send(changes, name) for target in targets]
        result = WatchRound(audit, tuple(note for note in notes if note))
        raised = result.alarms_up
        yield result
        if not seconds:
            return
        clock.sleep(seconds)


def alarm_changes(audit: Audit, raised: Collection[str]) -> list[AlarmChange]:
    """Alarms that went up, or down, since those of an earlier round.

    Parameters
    ----------
    raised : names of the alarms that were up then.
    """
    table = audit.section("watch").tables.get("alarms")
    if table is None:
        return []
    changes = []
    for row in table.to_dict("records"):
        is_up = bool(row["up"])
        if is_up != (row["name"] in raised):
            moment = row["since"] if is_up else row["until"]
            time, request = (0 if value is None or value != value else value for value in (moment, row["request"]))
            words = (str(row["why"]), str(row["action"]), str(audit.facts.get("bundle", "")))
            changes.append(AlarmChange(str(row["name"]), str(row["title"]), is_up, float(time), int(request), *words))
    return changes
