"""What do all remote members of a bundle answer? They are asked at the same time, and none is waited for in vain."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from .answer import RemoteAnswer
from .batch import NamedColumn
from .event_loop import run
from .member import RemoteMember


class RemoteMembers:
    """The remote members of a bundle.

    Parameters
    ----------
    specs : specification of each by the member's id, as in the manifest's ``remote``.
    classes : names of the classes; empty in regression.
    table : the columns of a table; empty else.

    Examples
    --------
    >>> from polyculture.deployment.remote import RemoteMembers
    >>> members = RemoteMembers({}, ["no", "yes"])
    >>> members.members
    {}
    """

    def __init__(
        self, specs: Mapping[str, Mapping[str, Any]], classes: Sequence[str], table: Sequence[NamedColumn] = ()
    ) -> None:
        self.members = {name: RemoteMember(spec, classes, table) for name, spec in specs.items()}

    async def __call__(self, raw: Any) -> dict[str, RemoteAnswer]:
        """What each member says about these instances, by id; failures are in its answer."""
        answers = await asyncio.gather(*(member(raw) for member in self.members.values()))
        return dict(zip(self.members, answers, strict=True))

    def ask(self, raw: Any) -> dict[str, RemoteAnswer]:
        """The same for callers that cannot wait."""

        async def once() -> dict[str, RemoteAnswer]:
            try:
                return await self(raw)
            finally:
                await self.aclose()

        return run(once())

    @property
    def costs(self) -> dict[str, float]:
        """Price of all answers so far, by member."""
        return {name: float(member.spent) for name, member in self.members.items()}

    async def aclose(self) -> None:
        """Close all connections."""
        await asyncio.gather(*(member.aclose() for member in self.members.values()))
