"""The bus on Redis Streams: streams and scripts as `bus.protocol` promises. Redis 6.2 or Valkey 7.2 at least."""

from headrace.bus.protocol import DEFAULT_KEPT_EVENTS
from headrace.bus.redis.channels import RedisChannels
from headrace.bus.redis.events import RedisEvents
from headrace.bus.redis.ingress import RedisIngress
from headrace.bus.redis.replies import RedisReplies
from headrace.bus.redis.roster import RedisRoster
from headrace.bus.redis.server import Server
from headrace.bus.redis.spill import DEFAULT_SPILL_OVER
from headrace.bus.redis.work import RedisWork

DEFAULT_NAMESPACE = "headrace"


class RedisBus(RedisWork, RedisIngress, RedisReplies, RedisEvents, RedisRoster, RedisChannels):
    """Keeps the bus contract on Redis.

    Args:
        url: Where it is, as `bus.redis.url` describes: one server, behind sentinels, or a cluster.
        namespace: Sets deployments that share a server apart.
        partitions: Over how many hash tags runs are spread; the same for every process of a deployment.
        retention_s: Seconds that the record of an ended run is kept.
        lane_batch: The most items that a lane hands out at once.
        spill_over: The most outputs of one hop that are recorded by its commit itself; more follow in parts.
        kept_events: The most events of a run that are kept; the oldest go first.

    Raises:
        SettingsError: The address cannot be understood.
    """

    def __init__(  # noqa: PLR0913 - settings of one bus, all but one by name
        self,
        url: str,
        *,
        namespace: str = DEFAULT_NAMESPACE,
        partitions: int = 1,
        retention_s: float = 3600.0,
        lane_batch: int = 256,
        spill_over: int = DEFAULT_SPILL_OVER,
        kept_events: int = DEFAULT_KEPT_EVENTS,
    ) -> None:
        server = Server(
            url,
            namespace=namespace,
            partitions=partitions,
            retention_s=retention_s,
            lane_batch=lane_batch,
            kept_events=kept_events,
        )
        RedisWork.__init__(self, server, spill_over=spill_over)
        RedisIngress.__init__(self, server)
        RedisReplies.__init__(self, server)
        RedisChannels.__init__(self, server)
        RedisEvents.__init__(self, server)
        RedisRoster.__init__(self, server)

    async def aclose(self) -> None:
        """Close connections; idempotent."""
        await self._server.connections.aclose()
