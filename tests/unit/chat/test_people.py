"""Whose name it is, and for how long."""

import asyncio
from typing import Any

import pytest

from chat.adapters.people import NameTaken, NotSignedIn, People

WEEK = 7 * 86_400


class Store:
    """As much of Redis as there is to a name: what is set with `nx` is set once."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    async def set(self, key: str, value: Any, nx: bool = False, ex: int | None = None) -> bool:
        if nx and key in self.values:
            return False
        self.values[key] = value
        return True

    async def get(self, key: str) -> Any:
        return self.values.get(key)


def test_a_name_is_kept_by_a_token_however_old_and_given_to_nobody_else() -> None:
    clock = [0.0]

    async def talk() -> None:
        store: Any = Store()
        people = People(store, "", lambda: clock[0])
        token, other = await people.sign_in("ann"), await people.sign_in("bob")
        clock[0] = 3.0 * WEEK
        with pytest.raises(NotSignedIn):
            await people.who(token)
        for wrong in ("", other, token[:-1]):
            with pytest.raises(NameTaken):
                await people.sign_in("ann", wrong)
        assert (await people.who(await people.sign_in("ann", token))).name == "ann"

    asyncio.run(talk())


def test_a_key_that_redis_has_lost_is_given_back() -> None:
    async def talk() -> None:
        store: Any = Store()
        one, other = (People(store, "", lambda: 0.0) for _ in range(2))
        token = await one.sign_in("ann")
        store.values.clear()
        await one.sign_in("bob")
        assert (await other.who(token)).name == "ann"

    asyncio.run(talk())
