"""What a cluster would get: valid objects, that break none of the rules a cluster's owner would hold them to."""

import re
from pathlib import Path

import kubernetes_validate  # type: ignore[import-untyped]  # untyped
import pytest
from examples.orders.pipe import pipe as orders
from tests.headrace_cli.k8s import keda
from tests.headrace_cli.k8s.rendered import ROOT, SETS, Object, deployment, kustomized, named, of_kind, pods

from headrace_cli.k8s.tree import tree_of, write

pytestmark = pytest.mark.slow

KUBERNETES = "1.32"
SERVICES = {"gateway", "reply", "worker-intake", "worker-decisions", "worker-answers"}
NO_SECRETS = re.compile(r"redis://[^ ]*:[^ ]*@|PRIVATE KEY|#[0-9a-f]{64}")


@pytest.fixture(scope="module", params=SETS)
def objects(request: pytest.FixtureRequest) -> list[Object]:
    return kustomized(ROOT / "k8s" / "fund_load" / request.param)


@pytest.fixture(scope="module")
def development() -> list[Object]:
    return kustomized(ROOT / "k8s" / "fund_load" / "overlays" / "development")


@pytest.fixture(scope="module")
def production() -> list[Object]:
    return kustomized(ROOT / "k8s" / "fund_load" / "overlays" / "production")


def containers(objects: list[Object]) -> list[Object]:
    return [container for pod in pods(objects).values() for container in pod["containers"]]


def init_containers(objects: list[Object]) -> list[Object]:
    return [container for pod in pods(objects).values() for container in pod.get("initContainers", ())]


def test_every_object_is_of_its_schema(objects: list[Object]) -> None:
    for each in objects:
        if each["apiVersion"].startswith("keda.sh/"):
            keda.validate(each)
        else:
            kubernetes_validate.validate(each, KUBERNETES, strict=True)


@pytest.mark.parametrize("directory", SETS)
def test_another_pipe_with_other_options_is_valid_too(directory: str, tmp_path: Path) -> None:
    older = {"is_redis_6": True, "on_cluster": True}
    made = deployment(orders.compile(), app="examples.orders:pipe", partitions=3, replicas=1, **older)
    write(tree_of(made), tmp_path)
    test_every_object_is_of_its_schema(kustomized(tmp_path / directory))


def test_every_container_is_pinned_bounded_and_without_rights(objects: list[Object]) -> None:
    for container in (*containers(objects), *init_containers(objects)):
        assert re.search(r":\d[\w.]*$", container["image"])
        assert container["resources"].keys() == {"requests", "limits"}
        for bounds in container["resources"].values():
            assert bounds.keys() == {"cpu", "memory"}
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


def test_every_pod_is_of_a_user_without_rights_or_tokens(objects: list[Object]) -> None:
    accounts = {each["metadata"]["name"]: each for each in of_kind(objects, "ServiceAccount")}
    for name, pod in pods(objects).items():
        security = pod["securityContext"]
        assert security["runAsNonRoot"] is True
        assert security["runAsUser"] > 0
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert accounts[name]["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
        assert all("hostPath" not in volume for volume in pod["volumes"])


def test_every_container_has_the_probes_of_its_kind(objects: list[Object]) -> None:
    for container in containers(objects):
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            assert container[probe].keys() & {"httpGet", "exec", "tcpSocket"}
        if container["name"] in {"worker", "reply"}:
            file = next(each["value"] for each in container["env"] if each["name"] == "HEADRACE_HEARTBEAT_FILE")
            assert file in container["livenessProbe"]["exec"]["command"][-1]
            assert file.startswith(tuple(mount["mountPath"] for mount in container["volumeMounts"]))


def test_every_service_waits_for_a_bus_that_is_fit_with_the_settings_that_it_works_with(
    objects: list[Object],
) -> None:
    for name in SERVICES:
        (waiting,), (working,) = pods(objects)[name]["initContainers"], pods(objects)[name]["containers"]
        assert waiting["args"] == ["--verify-s", "300"]
        for key in ("image", "env", "envFrom", "volumeMounts"):
            assert waiting[key] == working[key]


def test_every_workload_is_spread_and_survives_the_loss_of_a_node(objects: list[Object]) -> None:
    for name in SERVICES:
        spread = pods(objects)[name]["topologySpreadConstraints"]
        assert [each["topologyKey"] for each in spread] == ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]
        budget, workload = named(objects, "PodDisruptionBudget", name), named(objects, "Deployment", name)
        assert budget["spec"]["selector"] == workload["spec"]["selector"] == spread[0]["labelSelector"]
        labels = workload["spec"]["template"]["metadata"]["labels"]
        assert workload["spec"]["selector"]["matchLabels"].items() <= labels.items()


def test_no_two_workloads_select_each_others_pods(objects: list[Object]) -> None:
    selectors = [tuple(each["spec"]["selector"]["matchLabels"].items()) for each in of_kind(objects, "Deployment")]
    assert len(set(selectors)) == len(selectors) == len(SERVICES)


def test_secrets_are_referred_to_and_never_written(objects: list[Object]) -> None:
    assert of_kind(objects, "Secret") == []
    assert NO_SECRETS.search(repr(objects)) is None
    for name in SERVICES:
        (container,) = pods(objects)[name]["containers"]
        secrets = [each["valueFrom"]["secretKeyRef"]["name"] for each in container["env"] if "valueFrom" in each]
        assert secrets == [f"bus-{name}", *(["signing-keys"] if name != "reply" else [])]


def test_a_change_of_the_placement_rolls_every_deployment(tmp_path: Path) -> None:
    def referred(text: str) -> set[str]:
        (tmp_path / "base" / "placement.toml").write_text(text)
        found = pods(kustomized(tmp_path / "base")).values()
        return {
            volume["configMap"]["name"] for pod in found for volume in pod["volumes"] if volume["name"] == "placement"
        }

    write(tree_of(deployment()), tmp_path)
    before, after = referred('[groups]\nintake = ["parse"]\n'), referred('[groups]\nintake = ["parse", "decide"]\n')
    assert len(before) == len(after) == 1
    assert before != after


def policies(objects: list[Object]) -> dict[str, Object]:
    return {each["metadata"]["name"]: each["spec"] for each in of_kind(objects, "NetworkPolicy")}


@pytest.mark.parametrize("overlay", ["development", "production"])
def test_the_network_has_the_edges_of_the_graph_and_no_other(overlay: str, request: pytest.FixtureRequest) -> None:
    found = policies(request.getfixturevalue(overlay))
    assert found["default-deny"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    egress = {name: spec["egress"] for name, spec in found.items() if "egress" in spec}
    ingress = {name: spec["ingress"] for name, spec in found.items() if "ingress" in spec}
    assert egress.keys() == {"names", "services-to-redis"}
    assert ingress.keys() == {"ingress-to-gateway"} | ({"redis-from-services"} if overlay == "development" else set())
    ports = {name: {port["port"] for rule in rules for port in rule["ports"]} for name, rules in egress.items()}
    assert ports == {"names": {53}, "services-to-redis": {6379}}
    assert all(rule.get("from") for rules in ingress.values() for rule in rules)
    assert found["ingress-to-gateway"]["podSelector"] == {"matchLabels": {"app.kubernetes.io/component": "gateway"}}
    (to_redis,) = egress["services-to-redis"]
    assert to_redis["to"] == (
        [{"podSelector": {"matchLabels": {"app.kubernetes.io/component": "redis"}}}]
        if overlay == "development"
        else [{"ipBlock": {"cidr": "10.0.0.0/8"}}]
    )


def test_pods_are_reached_by_the_policies_that_name_their_component(development: list[Object]) -> None:
    components = {
        each["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/component"]
        for each in of_kind(development, "Deployment", "StatefulSet")
    }
    (selected,) = policies(development)["services-to-redis"]["podSelector"]["matchExpressions"]
    assert components - set(selected["values"]) == {"redis"}


def test_production_scales_groups_by_backlog_and_leaves_the_count_to_keda(production: list[Object]) -> None:
    scaled = {each["metadata"]["name"]: each["spec"] for each in of_kind(production, "ScaledObject")}
    workers = {name for name in SERVICES if name.startswith("worker-")}
    assert scaled.keys() == workers
    for name, spec in scaled.items():
        assert spec["scaleTargetRef"] == {"name": name}
        assert spec["minReplicaCount"] == 1
        assert [trigger["metadata"]["enableTLS"] for trigger in spec["triggers"]] == ["true"]
    replicas = {each["metadata"]["name"]: each["spec"].get("replicas") for each in of_kind(production, "Deployment")}
    assert replicas == {"reply": 2, **dict.fromkeys(("gateway", *workers))}


def test_production_trusts_who_signed_the_certificate_of_redis(production: list[Object]) -> None:
    for pod in pods(production).values():
        assert {"name": "redis-ca", "configMap": {"name": "redis-ca", "optional": True}} in pod["volumes"]


def test_production_refuses_settings_for_development_and_callers_without_a_key(production: list[Object]) -> None:
    settings = [each["data"] for each in of_kind(production, "ConfigMap") if "HEADRACE_APP" in each["data"]]
    assert [each["HEADRACE_PROFILE"] for each in settings] == ["production"]
    pod = pods(production)["gateway"]
    (container,) = pod["containers"]
    file = next(each["value"] for each in container["env"] if each["name"] == "HEADRACE_API_KEYS_FILE")
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert Path(file).parent == Path(mounts["api-keys"])
    assert {"name": "api-keys", "secret": {"secretName": "api-keys"}} in pod["volumes"]


def test_namespaces_take_nothing_but_restricted_pods(development: list[Object], production: list[Object]) -> None:
    for objects in (development, production):
        (namespace,) = of_kind(objects, "Namespace")
        assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_the_gateway_is_not_routed_to_when_it_ends(objects: list[Object]) -> None:
    pod = pods(objects)["gateway"]
    (container,) = pod["containers"]
    slept_s = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["terminationGracePeriodSeconds"] >= slept_s + 20
    scaler = named(objects, "HorizontalPodAutoscaler", "gateway")
    assert scaler["spec"]["scaleTargetRef"]["name"] == "gateway"


def test_monitoring_scrapes_a_port_of_every_pod_and_lets_its_prometheus_in(tmp_path: Path) -> None:
    write(tree_of(deployment(monitoring_namespace="watching")), tmp_path)
    overlay = tmp_path / "overlays" / "watched"
    overlay.mkdir()
    (overlay / "kustomization.yaml").write_text(
        "resources: [../development]\ncomponents: [../../components/monitoring]"
    )
    found = kustomized(overlay)
    (monitor,) = of_kind(found, "PodMonitor")
    names = {each["port"] for each in monitor["spec"]["podMetricsEndpoints"]}
    chosen = monitor["spec"]["selector"]["matchLabels"]["app.kubernetes.io/part-of"]
    services = [each for each in of_kind(found, "Deployment") if each["metadata"]["name"] in SERVICES]
    assert len(services) == len(SERVICES)
    for each in services:
        assert each["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/part-of"] == chosen
        ports = each["spec"]["template"]["spec"]["containers"][0]["ports"]
        assert len(names & {port["name"] for port in ports}) == 1
    policy = next(each for each in of_kind(found, "NetworkPolicy") if each["metadata"]["name"].startswith("monitoring"))
    (rule,) = policy["spec"]["ingress"]
    assert rule["from"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "watching"}}}]
