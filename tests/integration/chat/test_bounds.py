"""Clients that do not read, or do not answer: what they may cost, and what becomes of them."""

from contextlib import closing
from typing import Any

import pytest
from tests.integration.chat.wire import CLOSE, PING, TEXT, Wire, enter


def test_who_does_not_answer_a_ping_is_gone(start_replica: Any) -> None:
    replica = start_replica(chat_heartbeat=0.3, chat_patience=0.3)
    silent = enter(replica, "silent", "general")
    with closing(silent.socket):
        frames = [silent.frame()]
        while frames[-1][0] != CLOSE:
            frames.append(silent.frame())
    assert PING in [opcode for opcode, _ in frames]
    assert int.from_bytes(frames[-1][1][:2]) == 1011
    assert replica.metric("chat_ended_total", 'why="silent"') == 1


def test_who_is_too_slow_is_told_to_come_back_and_misses_nothing(start_replica: Any) -> None:
    replica = start_replica(chat_queue=131_072)
    ann = replica.guest("ann", "flood")
    slow = enter(replica, "slow", "flood", buffer=4096)
    said, heard = 0, 0
    while not replica.metric("chat_ended_total", 'why="slow"'):
        said = [ann.say("flood", "x" * 4000) for _ in range(100)][-1]
    with closing(slow.socket):
        opcode, payload = slow.frame()
        while opcode != CLOSE:
            heard += opcode == TEXT and b'"message"' in payload
            opcode, payload = slow.frame()
    assert int.from_bytes(payload[:2]) == 1013
    again = replica.guest("slow-again")
    again.join("flood", after=heard)
    assert [event["id"] for event in again.events("flood")] == list(range(heard + 1, said + 1))


def test_who_pings_and_never_reads_is_ended_before_it_costs_much(start_replica: Any) -> None:
    replica = start_replica()
    greedy = Wire(replica.websocket, buffer=4096)
    pings = (b"\x89\xfd" + bytes(4) + b"x" * 125) * 500
    with closing(greedy.socket), pytest.raises(ConnectionError):
        greedy.socket.sendall(pings * 1000)
    assert replica.metric("chat_closed_total", 'code="1008"') == 1
    assert replica.metric("chat_held_bytes") == 0


def test_what_connections_hold_is_shown(start_replica: Any, patience: Any) -> None:
    replica = start_replica()
    ann, slow = replica.guest("ann", "held"), enter(replica, "slow", "held", buffer=4096)

    def held() -> float:
        for _ in range(10):
            ann.say("held", "x" * 4000)
        return float(replica.metric("chat_held_bytes"))

    with closing(slow.socket):
        patience(held)
    patience(lambda: not replica.metric("chat_held_bytes"))


def test_a_replica_that_is_full_says_when_to_come_back(start_replica: Any) -> None:
    replica = start_replica(chat_connections=1)
    first = Wire(replica.websocket)
    with closing(first.socket), closing((second := Wire(replica.websocket)).socket):
        assert (first.status, second.status) == (101, 503)
        assert "retry-after: 5" in second.head.lower()
