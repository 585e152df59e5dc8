"""The objects of KEDA that are rendered, as its documentation describes them (2.x): what it knows, and nothing else."""

from typing import Any

import jsonschema  # type: ignore[import-untyped]  # untyped

TEXT = {"type": "string", "minLength": 1}
COUNT = {"type": "integer", "minimum": 0}
NUMBER_AS_TEXT = {"type": "string", "pattern": "^[1-9][0-9]*$"}


def closed(required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


METADATA = closed(("name",), name=TEXT, namespace=TEXT, labels={"type": "object"}, annotations={"type": "object"})

# `consumerGroup` is left out on purpose: where there is one, the length of the stream is not what KEDA scales by
REDIS_STREAMS = closed(
    ("stream", "streamLength"),
    address=TEXT,
    host=TEXT,
    port=NUMBER_AS_TEXT,
    stream=TEXT,
    streamLength=NUMBER_AS_TEXT,
    databaseIndex={"type": "string", "pattern": "^[0-9]+$"},
    enableTLS={"enum": ["true", "false"]},
    unsafeSsl={"enum": ["false"]},
)

SCALED_OBJECT = closed(
    ("apiVersion", "kind", "metadata", "spec"),
    apiVersion={"const": "keda.sh/v1alpha1"},
    kind={"const": "ScaledObject"},
    metadata=METADATA,
    spec=closed(
        ("scaleTargetRef", "triggers"),
        scaleTargetRef=closed(("name",), apiVersion=TEXT, kind=TEXT, name=TEXT, envSourceContainerName=TEXT),
        pollingInterval=COUNT,
        cooldownPeriod=COUNT,
        initialCooldownPeriod=COUNT,
        idleReplicaCount=COUNT,
        minReplicaCount=COUNT,
        maxReplicaCount=COUNT,
        fallback=closed(("failureThreshold", "replicas"), failureThreshold=COUNT, replicas=COUNT, behavior=TEXT),
        advanced=closed(
            restoreToOriginalReplicaCount={"type": "boolean"},
            horizontalPodAutoscalerConfig=closed(name=TEXT, behavior={"type": "object"}),
            scalingModifiers={"type": "object"},
        ),
        triggers={
            "type": "array",
            "minItems": 1,
            "items": closed(
                ("type", "metadata"),
                type={"enum": ["redis-streams", "redis-cluster-streams"]},
                name=TEXT,
                metadata=REDIS_STREAMS,
                metricType={"enum": ["AverageValue", "Value"]},
                useCachedMetrics={"type": "boolean"},
                authenticationRef=closed(
                    ("name",), name=TEXT, kind={"enum": ["TriggerAuthentication", "ClusterTriggerAuthentication"]}
                ),
            ),
        },
    ),
)

TRIGGER_AUTHENTICATION = closed(
    ("apiVersion", "kind", "metadata", "spec"),
    apiVersion={"const": "keda.sh/v1alpha1"},
    kind={"const": "TriggerAuthentication"},
    metadata=METADATA,
    spec=closed(
        ("secretTargetRef",),
        secretTargetRef={
            "type": "array",
            "items": closed(
                ("parameter", "name", "key"),
                parameter={"enum": ["address", "addresses", "host", "port", "username", "password"]},
                name=TEXT,
                key=TEXT,
            ),
        },
    ),
)

SCHEMAS = {"ScaledObject": SCALED_OBJECT, "TriggerAuthentication": TRIGGER_AUTHENTICATION}


def validate(value: dict[str, Any]) -> None:
    """Fail where an object is none of KEDA's."""
    jsonschema.validate(value, SCHEMAS[value["kind"]])
