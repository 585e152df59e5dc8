"""`headrace worker`, `reply` and `gateway`: the services with their own command lines, so a flag has one definition."""

import typer

from headrace_gateway.main import main as gateway_main
from headrace_reply.main import main as reply_main
from headrace_worker.main import main as worker_main

PASS_THROUGH = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": list[str]()}


def worker(arguments: typer.Context) -> None:
    """Consume one group of a pipe from Redis (--help for its settings)."""
    raise typer.Exit(worker_main(arguments.args, program="headrace worker"))


def reply(arguments: typer.Context) -> None:
    """Match the ends of runs to those who wait for them (--help for its settings)."""
    raise typer.Exit(reply_main(arguments.args, program="headrace reply"))


def gateway(arguments: typer.Context) -> None:
    """Serve pipes over HTTP, on Redis (--help for its settings)."""
    raise typer.Exit(gateway_main(arguments.args, program="headrace gateway"))
