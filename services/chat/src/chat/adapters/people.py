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
from chat.core.names import is_user_name

__all__ = ["NameTaken", "NotSignedIn", "People", "User"]

TOKEN_SECONDS, NAME_SECONDS = 7 * 86_400, 7 * 86_400
SECRET, NAMES = "chat:secret", "chat:name:"


class NotSignedIn(ChatError):
    """No token, or none of ours, or one that is too old."""

    code = "not_signed_in"


class NameTaken(ChatError):
    """Somebody else has that name."""

    code = "conflict"


@dataclass(frozen=True, slots=True)
class User:
    """Who a token is for. `admin`: of the whole service."""

    name: str
    admin: bool = False


class People:
    """Signs people in. The key is in Redis, so that each replica accepts the tokens of the others."""

    def __init__(self, redis: Redis, admin_token: str, now: Callable[[], float]) -> None:
        self._redis: Any = redis
        self._admin_token, self._now, self._secret = admin_token, now, b""

    async def sign_in(self, name: str, token: str = "", admin: str = "") -> str:
        """A token for `name`, which is the caller's for a week after the last time. Raises `NameTaken`,
        `NotSignedIn`."""
        if not is_user_name(name):
            raise NotSignedIn(f"{name!r} is no name: a lower-case letter, then up to 31 of a-z, 0-9, _ and -")
        if admin and not (self._admin_token and hmac.compare_digest(admin, self._admin_token)):
            raise NotSignedIn("that is not the administrators' token (the setting CHAT_ADMIN_TOKEN)")
        if not await self._redis.set(NAMES + name, int(self._now()), nx=True, ex=NAME_SECONDS):
            known = await self._known(token)
            if not admin and (known is None or known.name != name):
                raise NameTaken(f"{name!r} is taken: choose another, or come back with your token")
            await self._redis.expire(NAMES + name, NAME_SECONDS)
        return await self._signed({"u": name, "a": bool(admin), "x": int(self._now()) + TOKEN_SECONDS})

    async def token(self, name: str) -> str:
        """A token for the service's own use: the name need not be free."""
        return await self._signed({"u": name, "a": False, "x": int(self._now()) + TOKEN_SECONDS})

    async def who(self, token: str) -> User:
        """Whose token that is. Raises `NotSignedIn`."""
        body, _, signature = token.partition(".")
        wanted = await self._signature(body)
        try:
            claims = json.loads(_decoded(body)) if hmac.compare_digest(signature, wanted) else {}
        except (ValueError, TypeError, binascii.Error):
            claims = {}
        if not claims or claims["x"] < self._now():
            raise NotSignedIn("that token is not ours, or too old: sign in with POST /v1/sign-in")
        return User(claims["u"], claims["a"])

    async def _known(self, token: str) -> User | None:
        try:
            return await self.who(token)
        except NotSignedIn:
            return None

    async def _signed(self, claims: dict[str, Any]) -> str:
        body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
        return f"{body}.{await self._signature(body)}"

    async def _signature(self, body: str) -> str:
        if not self._secret:
            await self._redis.set(SECRET, secrets.token_hex(32), nx=True)
            self._secret = (await self._redis.get(SECRET)).encode()
        return hmac.new(self._secret, body.encode(), hashlib.sha256).hexdigest()


def _decoded(body: str) -> bytes:
    return base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
