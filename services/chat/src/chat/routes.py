"""The routes under /v1, and the page."""

from collections.abc import AsyncIterator
from dataclasses import asdict
from importlib.resources import files
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote, unquote

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import FileResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field

from chat.adapters.blobs import NotTaken, TooLarge, UnknownFile
from chat.adapters.log import Unavailable
from chat.adapters.people import NameTaken, NoName, NotSignedIn, User
from chat.adapters.rooms import Conflict, UnknownRoom
from chat.config import BESIDE
from chat.core import answers, protocol
from chat.core.address import websocket_url
from chat.core.protocol import VERSION
from chat.core.rooms import Forbidden, Role

if TYPE_CHECKING:
    from chat.app import House

__all__ = ["STATUSES", "Routes"]

STATUSES: dict[type[Exception], int] = {
    NoName: 422,
    NotSignedIn: 401,
    NotTaken: 415,
    Forbidden: 403,
    UnknownFile: 404,
    UnknownRoom: 404,
    NameTaken: 409,
    Conflict: 409,
    TooLarge: 413,
    Unavailable: 503,
}
WEB = files("chat").joinpath("web")
PAGE = {"": "index.html"} | {file.name: file.name for file in WEB.iterdir() if file.name != "index.html"}
TYPES = {"html": "text/html", "js": "text/javascript", "css": "text/css"}
STRICT = {
    "Content-Security-Policy": "default-src 'self'; connect-src *; img-src 'self' data:; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
SHUT = {**STRICT, "Content-Security-Policy": "default-src 'none'; sandbox"}
bearer = HTTPBearer(auto_error=False)
type Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]


class SignIn(BaseModel):
    """`token`: the one you had, to come back under a name that is yours. `admin`: the administrators'
    token."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field(max_length=32)
    token: str = Field(default="", max_length=512)
    admin: str = Field(default="", max_length=256)


class Routes:
    """What can be done without a WebSocket."""

    def __init__(self, house: "House") -> None:
        self._house = house

    def routers(self) -> list[APIRouter]:
        api, page = APIRouter(prefix="/v1", tags=["chat"]), APIRouter(include_in_schema=False)
        api.post("/sign-in")(self.sign_in)
        api.get("/where")(self.where)
        api.get("/protocol")(self.protocol)
        api.post("/files", status_code=201)(self.upload)
        api.get("/files/{file_id}")(self.file)
        api.head("/files/{file_id}", include_in_schema=False)(self.file)
        api.get("/audit")(self.audit)
        for path in PAGE:
            page.get(f"/{path}")(self._asset(path))
        return [api, page]

    async def sign_in(self, wanted: SignIn) -> dict[str, str]:
        """A signed token for a name: the first message on the WebSocket carries it."""
        token = await self._house.people.sign_in(wanted.name, wanted.token, wanted.admin)
        return {"name": wanted.name, "token": token}

    async def where(self, request: Request) -> dict[str, object]:
        """Where the WebSocket is, for whoever asked at this address."""
        settings, listening = self._house.settings, self._house.listener.port
        above = BESIDE if listening == settings.port + BESIDE else None
        public = settings.chat_public_url or websocket_url(str(request.url), listening, above)
        return {"websocket": public, "version": VERSION}

    async def protocol(self) -> dict[str, Any]:
        """The JSON schemas of what clients send, and of what the server sends."""
        return {"version": VERSION, "client": protocol.schema(), "server": answers.schema()}

    async def upload(
        self, request: Request, credentials: Bearer, filename: Annotated[str, Header(alias="x-filename")]
    ) -> dict[str, Any]:
        """Share a file: its bytes are the body, its name is in the header X-Filename (percent-encoded)."""
        user = await self._user(credentials)

        async def pieces() -> AsyncIterator[bytes]:
            async for piece in request.stream():
                yield piece

        blob = await self._house.blobs.take(user.name, unquote(filename), pieces())
        return {name: value for name, value in asdict(blob).items() if name != "owner"}

    async def file(self, file_id: str) -> FileResponse:
        """A shared file, with ranges; always to be saved, never shown as a page. Who knows the id may read
        it."""
        blob = await self._house.blobs.get(file_id)
        path = self._house.blobs.path(blob)
        if not path.is_file():
            raise UnknownFile("that file has expired")
        named = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(blob.name)}"}
        return FileResponse(path, media_type=blob.type, headers={**SHUT, **named})

    async def audit(
        self, credentials: Bearer, room: str = "", limit: Annotated[int, Query(ge=1, le=1000)] = 100
    ) -> list[dict[str, Any]]:
        """What administrators did, newest first: of all rooms for those of the service, of one for its owner."""
        user = await self._user(credentials)
        if not user.admin and not (room and await self._owns(user, room)):
            raise Forbidden(
                "the audit log is for administrators (sign in with `admin`), a room's for its owners"
            )
        return await self._house.rooms.audit(room, limit)

    async def _owns(self, user: User, room: str) -> bool:
        return (await self._house.rooms.get(room)).role(user.name) is Role.OWNER

    async def _user(self, credentials: HTTPAuthorizationCredentials | None) -> User:
        return await self._house.people.who(credentials.credentials if credentials else "")

    def _asset(self, path: str) -> Any:
        name = PAGE[path]
        body = WEB.joinpath(name).read_bytes()
        kind = TYPES[name.rpartition(".")[2]]

        async def asset() -> Response:
            return Response(body, media_type=kind, headers={**STRICT, "Cache-Control": "no-cache"})

        return asset
