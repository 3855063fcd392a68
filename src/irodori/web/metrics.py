"""What the server counts, for Prometheus."""

from __future__ import annotations

import time
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)


class Metrics:
    """Counters of one server, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        here: dict[str, Any] = {"registry": self.registry}
        self.requests = Counter("irodori_requests", "Answers by route and code.", ["method", "route", "code"], **here)
        self.request_seconds = Histogram(
            "irodori_request_seconds", "Time to the whole answer.", ["route"], buckets=BUCKETS, **here
        )
        self.jobs = Counter("irodori_jobs", "Jobs: done, failed, refused, late, gone.", ["outcome"], **here)
        self.job_seconds = Histogram("irodori_job_seconds", "Time on the model.", buckets=BUCKETS, **here)
        self.waiting = Gauge("irodori_jobs_waiting", "Jobs in the line.", **here)
        self.sessions = Gauge("irodori_sessions", "Sessions that exist.", **here)
        self.disk = Gauge("irodori_session_bytes", "What all sessions take on disk.", **here)
        ProcessCollector(registry=self.registry)

    def text(self) -> bytes:
        """Everything in the format that Prometheus reads."""
        return generate_latest(self.registry)


class CountRequests:
    """Counts the answers of an application by route, not by address: sessions have addresses of their own."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, codes = time.monotonic(), [500]

        async def note(message: Message) -> None:
            if message["type"] == "http.response.start":
                codes.append(message["status"])
            await send(message)

        try:
            await self.app(scope, receive, note)
        finally:
            route = getattr(scope.get("route"), "path", "") or ("studio" if codes[-1] < 400 else "other")
            method = scope["method"] if scope["method"] in METHODS else "other"
            self.metrics.requests.labels(method, route, str(codes[-1])).inc()
            self.metrics.request_seconds.labels(route).observe(time.monotonic() - start)


METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
