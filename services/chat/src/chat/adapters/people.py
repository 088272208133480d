"""Who somebody is: names, and the signed tokens that prove them (HMAC-SHA-256, RFC 2104)."""

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from chat.contract import ChatError
from chat.core.names import SERVICE, is_user_name

__all__ = ["ADMIN", "NameTaken", "NoName", "NotSignedIn", "People", "User"]

TOKEN_SECONDS = 7 * 86_400
SECRET, NAMES, ADMIN = "chat:secret", "chat:name:", "chat:admin:"


class NotSignedIn(ChatError):
    """No token, or none of ours, or one that is too old."""

    code = "not_signed_in"


class NoName(ChatError):
    """Nobody can have such a name."""

    code = "malformed"


class NameTaken(ChatError):
    """Somebody else has that name."""

    code = "conflict"


@dataclass(frozen=True, slots=True)
class User:
    """Who a token is for. `admin`: of the whole service."""

    name: str
    admin: bool = False


class People:
    """Signs people in. The key is in Redis, so that each replica accepts the tokens of the others.

    A name is never given to a second person: roles and private conversations hang on it."""

    def __init__(self, redis: Redis, admin_token: str, now: Callable[[], float]) -> None:
        self._redis: Any = redis
        self._admin_token, self._now, self._secret = admin_token, now, b""

    async def sign_in(self, name: str, token: str = "", admin: str = "") -> str:
        """A token for `name`, good for a week. The name is the caller's from now on: who comes back shows a
        `token` of it, however old. Raises `NoName`, `NameTaken`, `NotSignedIn`."""
        if not is_user_name(name):
            raise NoName(f"{name!r} is no name: a lower-case letter, then up to 31 of a-z, 0-9, _ and -")
        if name in SERVICE:
            raise NameTaken(f"{name!r} is the service's own name: choose another")
        if admin and not (self._admin_token and hmac.compare_digest(admin, self._admin_token)):
            raise NotSignedIn("that is not the administrators' token (the setting CHAT_ADMIN_TOKEN)")
        await self._agree_on_the_key()
        free = await self._redis.set(NAMES + name, int(self._now()), nx=True)
        if not (free or admin) and (await self._claims(token)).get("u") != name:
            raise NameTaken(f"{name!r} is taken: choose another, or come back with your token")
        if admin:
            await self._redis.set(ADMIN + name, 1, ex=TOKEN_SECONDS)
        return await self._signed({"u": name, "a": bool(admin), "x": int(self._now()) + TOKEN_SECONDS})

    async def token(self, name: str) -> str:
        """A token for the service's own use: the name need not be free."""
        return await self._signed({"u": name, "a": False, "x": int(self._now()) + TOKEN_SECONDS})

    async def who(self, token: str) -> User:
        """Whose token that is. Raises `NotSignedIn`."""
        claims = await self._claims(token)
        if not claims or claims["x"] < self._now():
            raise NotSignedIn("that token is not ours, or too old: sign in with POST /v1/sign-in")
        return User(claims["u"], claims["a"])

    async def _claims(self, token: str) -> dict[str, Any]:
        """What one of our tokens says, even if it is too old; nothing for another."""
        body, _, signature = token.partition(".")
        wanted = await self._signature(body)
        try:
            return json.loads(_decoded(body)) if hmac.compare_digest(signature, wanted) else {}
        except (ValueError, TypeError, binascii.Error):
            return {}

    async def _signed(self, claims: dict[str, Any]) -> str:
        body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
        return f"{body}.{await self._signature(body)}"

    async def _signature(self, body: str) -> str:
        if not self._secret:
            await self._agree_on_the_key()
        return hmac.new(self._secret, body.encode(), hashlib.sha256).hexdigest()

    async def _agree_on_the_key(self) -> None:
        """The one in Redis; if it has lost that, the one that we know."""
        await self._redis.set(SECRET, self._secret.decode() or secrets.token_hex(32), nx=True)
        self._secret = (await self._redis.get(SECRET)).encode()


def _decoded(body: str) -> bytes:
    return base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
