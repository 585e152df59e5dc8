"""`headrace k8s`: the manifests of a pipe's deployment, and the Secrets that they refer to."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from msgspec import structs

from headrace.runtime.load import load_plan
from headrace.settings.bus import BusSettings
from headrace.settings.services import PlacementSettings
from headrace.settings.sources import given, read_settings
from headrace_cli.files import say
from headrace_cli.k8s.deployment import Deployment, checked
from headrace_cli.k8s.secrets import secrets_of
from headrace_cli.k8s.tree import stale_files, text_of, tree_of, write
from headrace_cli.operate import EXIT_FOUND
from headrace_cli.options import App, PlacementFile

k8s = typer.Typer(name="k8s", help="Deploy a pipe on Kubernetes.", no_args_is_help=True, add_completion=False)

Images = Annotated[
    str,
    typer.Option("--image", help="The images, as REGISTRY/shop-{service}:1.0.0; service is gateway, reply and worker."),
]
BusNamespace = Annotated[
    str | None, typer.Option("--namespace", help="On the bus; the pipe's name unless told. [HEADRACE_NAMESPACE]")
]
Partitions = Annotated[int | None, typer.Option(help="Over how many hash tags runs are spread. [HEADRACE_PARTITIONS]")]
OnCluster = Annotated[bool, typer.Option("--on-cluster", help="The server is a Redis Cluster.")]
OnRedis6 = Annotated[bool, typer.Option("--redis-6", help="Write users for Redis 6.2, whose rules are coarser.")]

Channels = Annotated[
    list[str] | None,
    typer.Option("--channel", help="A distributed channel that nodes use: a name or a pattern; may be repeated."),
]


class RenderSettings(BusSettings, PlacementSettings):
    """Settings of what is deployed."""


@k8s.command()
def render(  # noqa: PLR0913 - an option each
    app: App,
    *,
    image: Images,
    out: Annotated[Path, typer.Option(help="The directory to write; what was rendered there before is replaced.")],
    placement: PlacementFile = None,
    namespace: BusNamespace = None,
    partitions: Partitions = None,
    replicas: Annotated[int, typer.Option(min=1, help="Of each workload that nothing else scales.")] = 2,
    redis_cidr: Annotated[str, typer.Option(help="Where the production's Redis is.")] = "10.0.0.0/8",
    ingress_namespace: Annotated[str, typer.Option(help="Whose pods may speak to the gateway.")] = "ingress-nginx",
    monitoring_namespace: Annotated[str, typer.Option(help="Of the Prometheus that scrapes.")] = "monitoring",
    on_cluster: OnCluster = False,
    redis_6: OnRedis6 = False,
    channel: Channels = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; end with 1 if a file would change.")] = False,
) -> None:
    """Render a pipe's plan and placement as Kustomize bases and overlays."""
    made = _deployment(app, placement, namespace, partitions)
    made = structs.replace(
        made,
        on_cluster=on_cluster,
        is_redis_6=redis_6,
        channels=tuple(channel or ()),
        images=image,
        replicas=replicas,
        redis_cidr=redis_cidr,
        ingress_namespace=ingress_namespace,
        monitoring_namespace=monitoring_namespace,
    )
    tree = tree_of(checked(made))
    if not check:
        write(tree, out)
        return
    stale = stale_files(tree, out)
    for name in stale:
        say(f"{out / name} is not what would be rendered")
    if stale:
        raise typer.Exit(EXIT_FOUND)


@k8s.command()
def secrets(  # noqa: PLR0913 - an option each
    app: App,
    *,
    redis: Annotated[str, typer.Option(help="Where Redis is, as rediss://HOST:PORT/0, without credentials.")],
    placement: PlacementFile = None,
    namespace: BusNamespace = None,
    partitions: Partitions = None,
    on_cluster: OnCluster = False,
    redis_6: OnRedis6 = False,
    channel: Channels = None,
) -> None:
    """Make the passwords and keys of a deployment, and write their Secrets to stdout, for kubectl apply -f -."""
    made = _deployment(app, placement, namespace, partitions)
    made = structs.replace(made, on_cluster=on_cluster, is_redis_6=redis_6, channels=tuple(channel or ()))
    sys.stdout.write(text_of(secrets_of(made, redis)))


def _deployment(app: str, placement: Path | None, namespace: str | None, partitions: int | None) -> Deployment:
    flags = given(placement=placement, namespace=namespace, partitions=partitions)
    settings = read_settings(RenderSettings, flags)
    plan = load_plan(app, settings.placement)
    return Deployment(
        app=app,
        plan=plan,
        namespace=settings.namespace if "namespace" in settings.model_fields_set else plan.pipe,
        partitions=settings.partitions,
    )
