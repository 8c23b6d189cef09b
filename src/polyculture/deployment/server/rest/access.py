"""Who may ask? With keys, everybody who sends one; without, everybody, but for what changes the server."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Mapping, Sequence

from ..refusals import RefusedRequestError

OPEN_PATHS = frozenset({"/v2/health/live", "/v2/health/ready", "/metrics", "/"})
"""What probes and Prometheus read without a key, and the live page, which says nothing until it is given one."""


class Access:
    """Decides who may ask.

    Parameters
    ----------
    keys : of which every request needs one; empty for none.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self.keys = tuple(key.encode() for key in keys)

    def check(self, path: str, headers: Mapping[bytes, bytes]) -> None:
        """Refuse a request without a key where there are keys; headers ``Authorization: Bearer`` or ``X-API-Key``."""
        if not self.keys or path in OPEN_PATHS:
            return
        scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
        key = token.strip() if scheme.lower() == b"bearer" else headers.get(b"x-api-key", b"")
        self.check_key(key)

    def check_key(self, key: bytes) -> None:
        """Refuse a key that is none; every key is compared, in a time that says nothing about it."""
        matches = [hmac.compare_digest(valid, key) for valid in self.keys]
        if not any(matches):
            wrong = "the API key is unknown" if key else "there is no API key"
            raise RefusedRequestError(401, wrong, "the header Authorization: Bearer KEY, or X-API-Key: KEY")

    def check_admin(self, client: str, headers: Mapping[bytes, bytes]) -> None:
        """Refuse to change the server for anybody but a holder of a key or, without keys, a program on this machine."""
        if self.keys:
            return  # checked before
        if not is_local(client) or b"origin" in headers or b"x-forwarded-for" in headers or b"forwarded" in headers:
            raise RefusedRequestError(
                403, "the server has no API keys", "a request from its own machine", "start it with --api-key-env"
            )


def is_local(client: str) -> bool:
    """Whether an address is that of this machine itself."""
    try:
        return ipaddress.ip_address(client).is_loopback
    except ValueError:
        return False
