"""`headrace k8s render`: the same files each time, and a check that sees what differs."""

from pathlib import Path

import pytest
import yaml
from examples.orders.pipe import pipe as orders
from msgspec import Struct
from tests.headrace_cli.k8s.rendered import IMAGES, ROOT, deployment

from headrace import Pipe
from headrace.errors import SettingsError
from headrace.graph.placement import parse_placement
from headrace_cli.k8s.budget import DRAIN_S, drain_s
from headrace_cli.k8s.deployment import checked
from headrace_cli.k8s.tree import tree_of, write
from headrace_cli.main import main


class Ask(Struct):
    id: str


class End(Struct):
    id: str


def render(out: Path, *options: str, image: str = IMAGES) -> int:
    return main(["k8s", "render", "examples.fund_load:pipe", "--image", image, "--out", str(out), *options])


def test_it_renders_the_same_files_each_time(tmp_path: Path) -> None:
    assert render(tmp_path / "one") == 0
    write(tree_of(deployment()), tmp_path / "two")
    texts = [
        {path.relative_to(root): path.read_text() for path in root.rglob("*") if path.is_file()}
        for root in (tmp_path / "one", tmp_path / "two")
    ]
    assert texts[0] == texts[1]
    assert Path("base/worker-intake.yaml") in texts[0]


def test_the_committed_manifests_are_what_would_be_rendered(capfd: pytest.CaptureFixture[str]) -> None:
    assert render(ROOT / "k8s" / "fund_load", "--check") == 0, capfd.readouterr().err


def test_check_names_what_differs_and_writes_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    render(tmp_path)
    (tmp_path / "base" / "gateway.yaml").write_text("kind: Deployment\n")
    (tmp_path / "base" / "reply.yaml").unlink()
    (tmp_path / "base" / "worker-gone.yaml").write_text((tmp_path / "base" / "worker-intake.yaml").read_text())
    (tmp_path / "own.yaml").write_text("kind: ConfigMap\n")
    assert render(tmp_path, "--check") == 1
    told = [line.split()[1] for line in capfd.readouterr().err.splitlines()]
    assert told == [str(tmp_path / "base" / name) for name in ("gateway.yaml", "reply.yaml", "worker-gone.yaml")]
    assert not (tmp_path / "base" / "reply.yaml").exists()


def test_rendering_again_deletes_what_was_rendered_and_is_no_more_and_leaves_what_others_wrote(tmp_path: Path) -> None:
    render(tmp_path)
    gone, own = tmp_path / "base" / "worker-gone.yaml", tmp_path / "overlays" / "own" / "kustomization.yaml"
    gone.write_text((tmp_path / "base" / "worker-intake.yaml").read_text())
    own.parent.mkdir()
    own.write_text("resources: [../production]\n")
    assert render(tmp_path) == 0
    assert (gone.exists(), own.exists()) == (False, True)


def test_the_placement_that_is_deployed_is_that_of_the_plan() -> None:
    text = tree_of(deployment(orders.compile()))["base/placement.toml"]
    assert orders.compile(parse_placement(text)).version == orders.compile().version


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ("shop-{service}", "needs a tag"),
        ("shop-{service}:latest", "needs a tag"),
        ("registry.example.com:5000/shop-{service}", "needs a tag"),
        ("shop:1.0", "names one image"),
    ],
)
def test_images_are_pinned_and_told_apart(
    image: str, message: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert render(tmp_path, image=image) == 2
    assert message in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []


def two_groups(first: str, second: str, *, timeout: float = 1.0) -> Pipe:
    pipe = Pipe("two_groups")

    @pipe.node(group=first, timeout=timeout)
    async def take(ask: Ask) -> End:
        return End(ask.id)

    @pipe.node(group=second)
    async def also(ask: Ask) -> End:
        return End(ask.id)

    return pipe


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [("a_b", "a-b", "is what two groups would be called"), ("a", "b" * 60, "has over 63 characters")],
)
def test_groups_that_kubernetes_cannot_name_are_refused(first: str, second: str, why: str) -> None:
    with pytest.raises(SettingsError, match=why):
        checked(deployment(two_groups(first, second).compile()))


def test_names_with_underscores_become_names_of_kubernetes() -> None:
    tree = tree_of(deployment(two_groups("in_take", "out").compile()))
    worker = list(yaml.safe_load_all(tree["base/worker-in-take.yaml"]))
    environment = worker[1]["spec"]["template"]["spec"]["containers"][0]["env"]
    assert worker[1]["metadata"]["name"] == "worker-in-take"
    assert {"name": "HEADRACE_GROUP", "value": "in_take"} in environment


def test_a_pod_has_time_for_the_longest_hop_and_for_its_commit() -> None:
    plan = two_groups("slow", "quick", timeout=90.5).compile()
    assert (drain_s(plan, "slow"), drain_s(plan, "quick")) == (91, DRAIN_S)
    tree = tree_of(deployment(plan))
    pod = list(yaml.safe_load_all(tree["base/worker-slow.yaml"]))[1]["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] > 91
    assert {"name": "HEADRACE_DRAIN_S", "value": "91"} in pod["containers"][0]["env"]


def test_each_partition_is_a_trigger_that_asks_for_its_share() -> None:
    tree = tree_of(deployment(two_groups("a", "b").compile(), partitions=4))
    scaled = list(yaml.safe_load_all(tree["components/keda/scaled-objects.yaml"]))[1]
    asked = [trigger["metadata"] for trigger in scaled["spec"]["triggers"]]
    assert [each["stream"] for each in asked] == [f"{{two_groups:{number}}}:stream:two_groups.a" for number in range(4)]
    assert {each["streamLength"] for each in asked} == {"32"}
