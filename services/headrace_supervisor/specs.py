"""What the children of a deployment are started with: each service's own settings, with what the deployment decides."""

from collections.abc import Mapping

import msgspec

from headrace.settings.logs import LogSettings
from headrace.settings.production import require_secure
from headrace.settings.services import GatewaySettings, ServiceSettings, WorkerSettings
from headrace.settings.sources import read_settings
from headrace_supervisor.child import Spec
from headrace_supervisor.settings import SupervisorSettings

_STOP_GRACE_S = 3.0  # over a child's own budget for its drain, for leaving the bus and ending


def worker_spec(
    app: str,
    group: str,
    settings: SupervisorSettings,
    bus: Mapping[str, object],
    *,
    outlives_us: bool,
    metrics_port: int | None = None,
) -> Spec:
    """Make the start of a group's worker.

    Args:
        bus: How it reaches the bus.
        outlives_us: Whether the bus does, so that what it does when we have died is not in vain.
        metrics_port: Where it serves its metrics; 0 for any free port, None for nowhere.

    Raises:
        SettingsError: A setting of the worker is wrong, or insecure in production.
    """
    own = {"app": app, "group": group, "placement": settings.placement, "lease_s": settings.lease_s}
    own |= {"metrics_host": settings.metrics_host, "metrics_port": metrics_port}
    decided = {**bus, **_shared(settings, outlives_us=outlives_us), **own}
    return _spec(f"worker '{group}'", "headrace_worker", read_settings(WorkerSettings, decided), settings, group)


def gateway_spec(
    app: str, settings: SupervisorSettings, bus: Mapping[str, object], listening: int, *, outlives_us: bool
) -> Spec:
    """Make the start of the gateway; as `worker_spec`.

    Args:
        listening: The socket's descriptor: it stays ours, so that while a gateway is started again callers wait.
    """
    placement = () if settings.placement is None else (settings.placement,)
    own = {"app": (app,), "placement": placement, "listen_fd": listening, "with_reply": False}
    decided = {**bus, **_shared(settings, outlives_us=outlives_us), **own}
    spec = _spec("gateway", "headrace_gateway", read_settings(GatewaySettings, decided), settings)
    return msgspec.structs.replace(spec, inherits=(listening,))


def _shared(settings: SupervisorSettings, *, outlives_us: bool) -> dict[str, object]:
    logs = {name: getattr(settings, name) for name in LogSettings.model_fields if name != "config"}
    return {**logs, "drain_s": settings.drain_s, "orphan_s": settings.drain_s if outlives_us else 0.0}


def _spec(name: str, module: str, settings: ServiceSettings, of: SupervisorSettings, group: str = "") -> Spec:
    require_secure(settings)  # as the child would, which could but end
    stop_s = of.drain_s + _STOP_GRACE_S
    return Spec(name, module, settings, group, start_s=of.start_s, hang_s=of.hang_s, stop_s=stop_s)
