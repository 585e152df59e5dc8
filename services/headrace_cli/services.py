"""`headrace worker`, `reply` and `gateway`: the services with their own command lines, so a flag has one definition."""

from pkgutil import resolve_name

import typer


def worker(arguments: typer.Context) -> None:
    """Consume one group of a pipe from Redis (--help for its settings)."""
    raise typer.Exit(_main("worker", arguments))


def reply(arguments: typer.Context) -> None:
    """Match the ends of runs to those who wait for them (--help for its settings)."""
    raise typer.Exit(_main("reply", arguments))


def gateway(arguments: typer.Context) -> None:
    """Serve pipes over HTTP, on Redis (--help for its settings)."""
    raise typer.Exit(_main("gateway", arguments))


def _main(service: str, arguments: typer.Context) -> int:
    code: int = resolve_name(f"headrace_{service}.main:main")(arguments.args, program=f"headrace {service}")
    return code
