"""Members that are somebody else's: another server with the Open Inference Protocol, or a chat endpoint that judges."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polyculture.lazy import lazy_exports

if TYPE_CHECKING:
    from .answer import RemoteAnswer as RemoteAnswer
    from .breaker import CircuitBreaker as CircuitBreaker
    from .member import RemoteMember as RemoteMember
    from .members import RemoteMembers as RemoteMembers
    from .panel import panel_settings as panel_settings
    from .panel import remote_entries as remote_entries
    from .specification import RemoteSpec as RemoteSpec

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "RemoteAnswer": "answer",
        "CircuitBreaker": "breaker",
        "RemoteMember": "member",
        "RemoteMembers": "members",
        "panel_settings": "panel",
        "remote_entries": "panel",
        "RemoteSpec": "specification",
    },
)
__all__ = [
    *("CircuitBreaker", "RemoteAnswer", "RemoteMember", "RemoteMembers", "RemoteSpec", "panel_settings"),
    "remote_entries",
]
