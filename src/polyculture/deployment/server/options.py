"""How is a bundle served? Where it listens, what it accepts, how much at a time."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from polyculture.errors import InputError

MEBIBYTE = 2**20


@dataclass(frozen=True, kw_only=True)
class ServerOptions:
    """How a bundle is served.

    Parameters
    ----------
    host, port : where the REST server listens; port 0 takes any that is not in use.
    grpc_port : where the gRPC server listens; None for none.
    workers : processes that answer.
    store : URL of the database of answers; empty for the default, a SQLite file; None keeps no answers.
    keep_inputs : whether inputs are kept with the answers.
    keep_days, keep_rows : answers that are older, and the oldest beyond so many, are deleted from the store about once
        a minute, with their labels; None keeps all.
    api_keys : of which every request except for health and metrics needs one; empty for none.
    tls_cert, tls_key : files (PEM) for HTTPS; both or none.
    max_batch : most instances that the graphs get at a time.
    queue : most requests that wait; more are answered with 503.
    max_bytes : of a request.
    max_rows : instances of a request.
    timeout : seconds in which a request is read and answered, or refused with 504.
    drain : seconds for which requests are still taken after a signal to stop, while readiness is false.
    shadow : a second bundle, whose answers are kept and not given out.
    webhooks : addresses that are told when an alarm goes up or down.

    Raises InputError for values that cannot be used.

    Examples
    --------
    >>> pc.ServerOptions(port=0, workers=4, grpc_port=9000).max_batch
    64
    """

    host: str = "127.0.0.1"
    port: int = 8080
    grpc_port: int | None = None
    workers: int = 1
    store: str | None = ""
    keep_inputs: bool = False
    keep_days: float | int | None = None
    keep_rows: int | None = None
    api_keys: tuple[str, ...] = field(default=(), repr=False)
    tls_cert: Path | None = None
    tls_key: Path | None = None
    max_batch: int = 64
    queue: int = 1024
    max_bytes: int = 16 * MEBIBYTE
    max_rows: int = 10_000
    timeout: float = 30.0
    drain: float = 1.0
    shadow: Path | None = None
    webhooks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        numbers = {"workers": 256, "max_batch": 65_536, "queue": 1_000_000, "max_bytes": 2**31, "max_rows": 10_000_000}
        for name, limit in numbers.items():
            if not 1 <= getattr(self, name) <= limit:
                raise InputError(f"{name} is {getattr(self, name)}", f"1 to {limit:,}")
        for name, port in {"port": self.port, "grpc_port": self.grpc_port}.items():
            if port is not None and not 0 <= port < 65_536:
                raise InputError(f"{name} is {port}", "0 to 65,535; 0 takes any that is not in use")
        if self.grpc_port and self.grpc_port == self.port:
            raise InputError(f"port and grpc_port are both {self.port}", "two different ports")
        if not (self.timeout > 0 and self.drain >= 0):
            raise InputError(f"timeout is {self.timeout} and drain is {self.drain}", "seconds; timeout above 0")
        self._check_retention()
        self._check_files()

    def _check_retention(self) -> None:
        for name, limit in {"keep_days": self.keep_days, "keep_rows": self.keep_rows}.items():
            if limit is None:
                continue
            if not 0 < limit < math.inf:
                raise InputError(f"{name} is {limit}", "a positive number", "leave it out to keep all answers")
            if self.store is None:
                raise InputError(
                    f"{name} is {limit} and there is no store", "a store", f"leave out {name}, or name one"
                )

    def _check_files(self) -> None:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise InputError("only one of tls_cert and tls_key is given", "both, or none")
        for path in (self.tls_cert, self.tls_key):
            if path is not None and not path.is_file():
                raise InputError(f"no such file: {path}", "a certificate and its key in PEM")


def keys_of(name: str, environment: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """The API keys in an environment variable, separated by commas; InputError if there are none."""
    text = (os.environ if environment is None else environment).get(name, "")
    keys = tuple(key.strip() for key in text.split(",") if key.strip())
    if not keys:
        raise InputError(f"the environment variable {name} is empty", "one API key, or several separated by commas")
    if not all(key.isascii() and key.isprintable() for key in keys):
        raise InputError(f"a key in the environment variable {name} has characters that headers cannot carry", "ASCII")
    return keys
