"""Rendered deployments, as a cluster would get them."""

import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import yaml
from examples.fund_load.pipe import pipe as fund_load

from headrace.graph.plan import ExecutionPlan
from headrace_cli.k8s.deployment import Deployment

Object = dict[str, Any]

ROOT = Path(__file__).parents[3]
IMAGES = "registry.example.com/fund-load-{service}:0.1.0"
KUBECTL = Path(sysconfig.get_path("scripts"), "kubectl")
SETS = ("base", "overlays/development", "overlays/production")


def deployment(plan: ExecutionPlan | None = None, **options: Any) -> Deployment:
    plan = plan or fund_load.compile()
    return Deployment(
        **{"app": "examples.fund_load:pipe", "plan": plan, "namespace": plan.pipe, "images": IMAGES, **options}
    )


def kustomized(directory: Path) -> list[Object]:
    """Give the objects that kubectl would apply."""
    done = subprocess.run([KUBECTL, "kustomize", directory], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [each for each in yaml.safe_load_all(done.stdout) if each]


def of_kind(objects: list[Object], *kinds: str) -> list[Object]:
    return [each for each in objects if each["kind"] in kinds]


def named(objects: list[Object], kind: str, name: str) -> Object:
    (found,) = [each for each in of_kind(objects, kind) if each["metadata"]["name"] == name]
    return found


def pods(objects: list[Object]) -> dict[str, Object]:
    """Give what each workload's pods are made of."""
    return {
        each["metadata"]["name"]: each["spec"]["template"]["spec"]
        for each in of_kind(objects, "Deployment", "StatefulSet")
    }
