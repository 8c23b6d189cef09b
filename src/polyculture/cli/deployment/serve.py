"""polyculture serve: how does a bundle answer requests?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from ..application import app


@app.command(short_help="Serve a bundle by the Open Inference Protocol.")
def serve(
    bundle: Annotated[
        Path, Argument(metavar="BUNDLE", help="Folder of export, or of bundles with a pointer, current.")
    ],
    host: Annotated[str, Option(metavar="HOST", help="Address to listen at; 0.0.0.0 for every one.")] = "127.0.0.1",
    port: Annotated[int, Option(metavar="P", help="Port; 0 takes any that is not in use.")] = 8080,
    grpc_port: Annotated[int | None, Option(metavar="P", help="Port of gRPC (default: none).")] = None,
    workers: Annotated[int, Option(metavar="W", help="Number of processes that answer.")] = 1,
    store: Annotated[str, Option(metavar="URL", help="Database of the answers (default: a SQLite file).")] = "",
    no_store: Annotated[bool, Option("--no-store", help="Keep no answers.")] = False,
    keep_inputs: Annotated[bool, Option("--keep-inputs", help="Keep the inputs with the answers.")] = False,
    keep_days: Annotated[float | None, Option(metavar="D", help="Delete answers after D days (default: none).")] = None,
    keep_rows: Annotated[int | None, Option(metavar="N", help="Keep the latest N answers (default: all).")] = None,
    api_key_env: Annotated[str, Option(metavar="NAME", help="Environment variable with the API keys.")] = "",
    tls_cert: Annotated[Path | None, Option(metavar="PEM", help="Certificate, for HTTPS.")] = None,
    tls_key: Annotated[Path | None, Option(metavar="PEM", help="Key of the certificate.")] = None,
    max_batch: Annotated[int, Option(metavar="N", help="Most instances in one call of the graphs.")] = 64,
    queue: Annotated[int, Option(metavar="N", help="Most requests that wait; more are answered with 503.")] = 1024,
    max_bytes: Annotated[int, Option(metavar="BYTES", help="Most bytes of a request.")] = 2**24,
    timeout: Annotated[float, Option(metavar="S", help="Seconds after which a request is answered with 504.")] = 30.0,
    shadow: Annotated[
        Path | None, Option(metavar="BUNDLE", help="Challenger: its answers are kept, and not given out.")
    ] = None,
    drain: Annotated[float, Option(metavar="S", help="Seconds from a signal to stop until it stops.")] = 1.0,
    webhook: Annotated[
        list[str] | None, Option(metavar="URL", help="Told when an alarm goes up or down; repeatable.")
    ] = None,
) -> int:
    """Serve a bundle by the Open Inference Protocol, version 2, over REST and gRPC.

    \b
    On this machine, and on all cores of a server:
      polyculture serve bundle
      polyculture serve bundle --host 0.0.0.0 --workers 4 --api-key-env KEYS
    """
    from polyculture.deployment.server import ServerOptions
    from polyculture.deployment.server import serve as run
    from polyculture.deployment.server.options import keys_of

    options = ServerOptions(
        host=host,
        port=port,
        grpc_port=grpc_port,
        workers=workers,
        store=None if no_store else store,
        keep_inputs=keep_inputs,
        keep_days=keep_days,
        keep_rows=keep_rows,
        api_keys=keys_of(api_key_env) if api_key_env else (),
        tls_cert=tls_cert,
        tls_key=tls_key,
        max_batch=max_batch,
        queue=queue,
        max_bytes=max_bytes,
        timeout=timeout,
        shadow=shadow,
        drain=drain,
        webhooks=tuple(webhook or ()),
    )
    return run(bundle, options)
