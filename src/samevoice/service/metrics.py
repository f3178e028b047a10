"""What a service counts, for Prometheus.

Labels are templates of routes, codes and verdicts: never names, so nothing personal is told and their number is small.

Knows: counters. Does not know: requests, who may read them.
"""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """The counters of one service."""

    def __init__(self) -> None:
        """Begin at zero."""
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = Counter(
            "samevoice_requests", "Requests answered.", ["method", "route", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "samevoice_request_seconds", "How long they took.", ["route"], buckets=SECONDS, registry=self._registry
        )
        self._verdicts = Counter(
            "samevoice_verdicts", "Verdicts by route.", ["route", "verdict"], registry=self._registry
        )
        self.requests = 0

    def answered(self, method: str, route: str, status: int, seconds: float, verdict: str | None) -> None:
        """Count a request.

        Args:
            method: of HTTP.
            route: template, such as "/v1/people/{name}".
            status: of the answer.
            seconds: from the first byte to the last.
            verdict: what was decided, where something was.
        """
        self.requests += 1
        self._requests.labels(method, route, status).inc()
        self._seconds.labels(route).observe(seconds)
        if verdict is not None:
            self._verdicts.labels(route, verdict).inc()

    def watch(self, name: str, description: str, value: Callable[[], float]) -> None:
        """Show a value as it is when it is asked for.

        Args:
            name: of the gauge, after "samevoice_".
            description: one sentence.
            value: gives it.
        """
        Gauge(f"samevoice_{name}", description, registry=self._registry).set_function(value)

    def text(self) -> bytes:
        """All of it in the text format of Prometheus."""
        return generate_latest(self._registry)
