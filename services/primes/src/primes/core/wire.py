"""Orders, news and parts as they travel between machines: JSON objects, nothing else."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from primes.contract import Happened, Kind, News, Order, Part, Tile

__all__ = [
    "decode_news",
    "decode_order",
    "decode_part",
    "encode_news",
    "encode_order",
    "encode_part",
    "field_of",
]


def encode_order(order: Order) -> dict[str, Any]:
    return asdict(order)


def decode_order(raw: Mapping[str, Any]) -> Order:
    """Raises KeyError, TypeError or ValueError for what is no order."""
    tile = {**raw["tile"], "kind": Kind(raw["tile"]["kind"])}
    return Order(raw["job"], Tile(**tile), raw["attempt"], raw["board"])


def encode_news(news: News) -> str:
    return json.dumps(asdict(news))


def decode_news(text: str) -> News:
    raw = json.loads(text)
    return News(
        Happened(raw["happened"]), decode_order(raw["order"]), raw["worker"], raw["seconds"], raw["reason"]
    )


def encode_part(part: Part) -> str:
    return json.dumps(asdict(part))


def decode_part(text: str) -> Part:
    return Part(**json.loads(text))


def field_of(tile: Tile) -> str:
    """What names a part on its board: its range, so that another plan finds it, too."""
    return f"{tile.lo}:{tile.hi}:{tile.rank}"
