"""A2, the chat: the common rows, then what is delivered, who cannot keep up, and who is here."""

from layout import Dashboard, Line, Row
from panels import Panel, Query
from rows import concurrency, of, quantile, rate, red

LABELS = of("chat")
SHARES = ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))


def chat() -> Dashboard:
    """The dashboard of the chat server."""
    return Dashboard(
        name="chat",
        title="A2 · Real-time chat server",
        text="Many readers, some of them slow, and one order for all. Make some slow, and overlay engines.",
        rows=[
            red("chat"),
            concurrency("chat", locks=False),
            Row("Delivery", [Line(7, _delivery()), Line(7, [_fan_out(), _client(), _redis()])]),
            Row(
                "Clients",
                [
                    Line(7, _slow()),
                    Line(7, [*_people(), _refused(), _closed()]),
                    Line(4, [_feed(), _engine()]),
                ],
            ),
        ],
        engines='lab_engine_info{service="chat"}',
        links=[
            ("Chat", "http://127.0.0.1:8006/", "The chat's own page, at its default port"),
            ("API", "http://127.0.0.1:8006/docs", "The routes of the chat, at its default port"),
        ],
    )


def _gauge(metric: str) -> str:
    return f"sum by (engine) ({metric}{{{LABELS}}})"


def _delivery() -> list[Panel]:
    return [
        Panel(
            "Messages in",
            "What clients send, requests included: the load that all the rest follows from.",
            "ops",
            (Query(rate("chat_messages_total", LABELS, "engine"), "{{engine}}"),),
            by_engine=True,
        ),
        Panel(
            "Deliveries",
            "Frames written to clients: over messages in, this is how many hear each message.",
            "ops",
            (Query(rate("chat_deliveries_total", LABELS, "engine"), "{{engine}}"),),
            by_engine=True,
        ),
        Panel(
            "Bytes to clients",
            "What the network has to carry: when it levels off while queues grow, the network is the limit.",
            "Bps",
            (Query(rate("chat_delivery_bytes_total", LABELS, "engine"), "{{engine}}"),),
            by_engine=True,
        ),
    ]


def _quantiles(histogram: str) -> tuple[Query, ...]:
    return tuple(
        Query(quantile(share, histogram, LABELS, "engine"), f"{{{{engine}}}} {name}")
        for share, name in SHARES
    )


def _fan_out() -> Panel:
    return Panel(
        "Fan-out latency, in the service",
        "From arrival to the socket, of a sample: with one slow reader, does it rise for all the others?",
        "s",
        _quantiles("chat_fan_out_seconds"),
        by_engine=True,
        dashed="p9.$",
    )


def _client() -> Panel:
    return Panel(
        "Round trip, at a client",
        "A client says something once a second and hears itself: durable writing, fan-out and sockets included.",
        "s",
        _quantiles("chat_client_seconds"),
        by_engine=True,
        dashed="p9.$",
    )


def _redis() -> Panel:
    return Panel(
        "Write to a room's log",
        "What Redis takes for the last group of messages; no acknowledgement is faster, and each waits for one.",
        "s",
        (Query(f"max by (engine) (chat_redis_seconds{{{LABELS}}})", "{{engine}}"),),
        by_engine=True,
    )


def _slow() -> list[Panel]:
    ended = rate("chat_ended_total", LABELS, "engine, why")
    return [
        Panel(
            "Clients for whom something waits",
            "Those whose network takes no more: each has a queue of its own, and costs nobody else anything.",
            "short",
            (Query(_gauge("chat_slow_clients"), "{{engine}}"),),
            decimals=0,
            by_engine=True,
        ),
        Panel(
            "Bytes that wait for slow clients",
            "All queues, bounded by the queue limit times the slow clients, and what connections hold besides.",
            "bytes",
            (
                Query(_gauge("chat_queued_bytes"), "{{engine}}"),
                Query(_gauge("chat_held_bytes"), "{{engine}} held"),
            ),
            by_engine=True,
        ),
        Panel(
            "Frames given up",
            "Typing is dropped first, then outdated presence: frames that nobody will miss make room for others.",
            "ops",
            (Query(rate("chat_given_up_total", LABELS, "engine, kind"), "{{engine}} {{kind}}"),),
        ),
        Panel(
            "Clients ended by the hub",
            "Too slow, with nothing left to give up, or silent for too long: they come back and resume by id.",
            "ops",
            (Query(ended, "{{engine}} {{why}}"),),
        ),
    ]


def _people() -> list[Panel]:
    return [
        Panel(
            "Connections and users",
            "A user may have several; a saw-tooth that comes back is a storm of reconnections.",
            "short",
            (
                Query(_gauge("chat_connections"), "{{engine}} connections"),
                Query(_gauge("chat_users"), "{{engine}} users"),
            ),
            decimals=0,
            dashed="users$",
        ),
        Panel(
            "Rooms in use",
            "Rooms with somebody in them on this replica; each is one subscription at Redis.",
            "short",
            (Query(_gauge("chat_rooms"), "{{engine}}"),),
            decimals=0,
            by_engine=True,
        ),
    ]


def _refused() -> Panel:
    return Panel(
        "Requests refused",
        "Why: too often is the rate limit, unavailable is Redis, malformed is a client with a bug, or worse.",
        "ops",
        (Query(rate("chat_refused_total", LABELS, "engine, reason"), "{{engine}} {{reason}}"),),
    )


def _closed() -> Panel:
    return Panel(
        "Connections ended by the service",
        "By code: 1013 was too slow, 1012 moves to another replica, 1011 was silent, 1008 is abuse.",
        "ops",
        (Query(rate("chat_closed_total", LABELS, "engine, code"), "{{engine}} {{code}}"),),
    )


def _feed() -> Panel:
    return Panel(
        "Redis tells of the rooms",
        "While it is away nothing is acknowledged; what the other replicas said meanwhile is read afterwards.",
        "short",
        (Query(f"min by (engine) (chat_redis_connected{{{LABELS}}})", "{{engine}}"),),
        kind="state-timeline",
        by_engine=True,
        words={"1": "connected", "0": "away"},
    )


def _engine() -> Panel:
    return Panel(
        "Engine that runs",
        "Which engine ran when: read every panel above this one with it.",
        "short",
        (Query('max by (engine) (lab_engine_info{service="chat"})', "{{engine}}"),),
        kind="state-timeline",
        by_engine=True,
        words={"1": "runs"},
    )
