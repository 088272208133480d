"""The origin's HTTP face: routes, and the way of a request past its faults to its answer."""

import asyncio
import json
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from email.utils import formatdate
from http import HTTPStatus

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from lab.origin.answers import Answer, Representation, answer
from lab.origin.config import Settings
from lab.origin.content import domain_of
from lab.origin.faults import FaultError, Faults, Plan
from lab.origin.metrics import Metrics
from lab.origin.query import PLAIN, Query, parse_query
from lab.origin.things import Digests, Things
from lab.origin.wire import send_body, wire_of

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_SMALL = 256 * 1024
_JSON = "application/json"


class Origin:
    """All state of one origin. Belongs to one event loop, except for hashing, which threads do."""

    def __init__(self, settings: Settings) -> None:
        self.faults = Faults(settings.origin_seed)
        self.digests = Digests()
        self.things = Things(settings, self.digests)
        self.metrics = Metrics(self.faults, ROUTES)

    def application(self) -> web.Application:
        """Return the application to serve."""
        app = web.Application(client_max_size=64 * 1024)
        app.on_response_prepare.append(_tell_lies)
        for route, name in ROUTES.items():
            app.router.add_get(route, self._measured(route, getattr(self, name)))
        app.router.add_put("/lab/faults", self._measured("/lab/faults", self.set_faults))
        return app

    def watch(self, runner: web.AppRunner) -> None:
        """Let the connections gauge read the runner's server."""
        server = runner.server
        assert server is not None, "set the runner up first"
        self.metrics.connections.set_function(lambda: len(server.connections))

    def _measured(self, route: str, handler: Handler) -> Handler:
        metrics, seconds = self.metrics, self.metrics.seconds(route)

        async def measured(request: web.Request) -> web.StreamResponse:
            began, code = time.perf_counter(), 499
            metrics.in_flight.inc()
            try:
                response = await handler(request)
                code = response.status
                return response
            except ValueError as error:
                code = 400
                return problem(code, str(error))
            finally:
                metrics.in_flight.dec()
                metrics.request(route, code).inc()
                seconds.observe(time.perf_counter() - began)

        return measured

    async def home(self, request: web.Request) -> web.StreamResponse:
        domain = domain_of(request.host)
        return await self._serve(request, False, lambda query, ahead: self.things.home(domain, ahead))

    async def page(self, request: web.Request) -> web.StreamResponse:
        domain, number = domain_of(request.host), request.match_info["number"]
        return await self._serve(request, False, lambda query, ahead: self.things.page(domain, number, ahead))

    async def robots(self, request: web.Request) -> web.StreamResponse:
        domain = domain_of(request.host)
        return await self._serve(request, False, lambda query, ahead: self.things.robots(domain))

    async def sitemap(self, request: web.Request) -> web.StreamResponse:
        domain, host = domain_of(request.host), request.host
        return await self._serve(request, False, lambda query, ahead: self.things.sitemap(domain, host))

    async def file(self, request: web.Request) -> web.StreamResponse:
        return await self._serve(request, True, lambda query, ahead: self.things.file(request, query, ahead))

    async def sha256(self, request: web.Request) -> web.StreamResponse:
        file = self.things.identify(request, _query_of(request, strict=True).version)
        return web.json_response({"size": file.size, "sha256": await self.digests.get(file)})

    async def health(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"status": "ok"})

    async def scrape(self, request: web.Request) -> web.StreamResponse:
        body = generate_latest(self.metrics.registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def get_faults(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(self.faults.describe(), headers={"Lab-Seed": str(self.faults.seed)})

    async def set_faults(self, request: web.Request) -> web.StreamResponse:
        magnitudes, seed = _wanted(await request.read())
        try:
            self.faults.set(magnitudes, seed)
        except FaultError as error:
            return problem(422, str(error))
        return await self.get_faults(request)

    async def _serve(
        self, request: web.Request, strict: bool, find: Callable[[Query, int], Representation | None]
    ) -> web.StreamResponse:
        query = _query_of(request, strict=strict)
        plan = self.faults.plan(domain_of(request.host), request.path, query.key, query.faults)
        if plan is None:
            thing = find(query, 0)
        else:
            await asyncio.sleep(plan.delay())
            failure = _failure(plan) or _redirect(plan, request, query)
            if failure is not None:
                return failure
            thing = _changed(plan, lambda ahead: find(query, ahead))
        if thing is None:
            return problem(404, f"there is no {request.path} on this domain")
        return await self._send(request, answer(request.method, request.headers, thing, plan), thing)

    async def _send(self, request: web.Request, reply: Answer, thing: Representation) -> web.StreamResponse:
        if reply.manner.is_default and reply.length <= _SMALL and request.method == "GET":
            self.metrics.sent.inc(reply.length)
            body = thing.read(reply.start, reply.stop)
            return web.Response(status=reply.status, headers=reply.headers, body=body)
        response = web.StreamResponse(status=reply.status, headers=reply.headers)
        if reply.status != 304:
            response.content_length = reply.length
        request["lies"] = _lies(reply, request)
        await response.prepare(request)
        if request.method == "GET" and reply.length:
            await self._send_body(request, reply, thing)
        return response

    async def _send_body(self, request: web.Request, reply: Answer, thing: Representation) -> None:
        try:
            with wire_of(request, self.metrics.sent.inc) as wire:
                await send_body(wire, reply, thing)
        except ConnectionError:
            if request.transport is not None:
                request.transport.abort()


ROUTES = {
    "/": "home",
    "/page/{number}": "page",
    "/robots.txt": "robots",
    "/sitemap.xml": "sitemap",
    "/files/{size}/{name:.+}": "file",
    "/sha256/{size}/{name:.+}": "sha256",
    "/health": "health",
    "/ready": "health",
    "/metrics": "scrape",
    "/lab/faults": "get_faults",
}


def problem(status: int, detail: str, headers: dict[str, str] | None = None) -> web.Response:
    """Return a problem document (RFC 9457)."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return web.json_response(body, status=status, headers=headers, content_type="application/problem+json")


def _query_of(request: web.Request, *, strict: bool) -> Query:
    return parse_query(request.query, strict=strict) if request.query_string else PLAIN


def _wanted(body: bytes) -> tuple[dict[str, object], int | None]:
    """Take a PUT body apart. Raises ValueError, fit to be shown."""
    try:
        wanted = json.loads(body)
        faults, seed = wanted["faults"], wanted.get("seed")
    except (ValueError, KeyError, TypeError, AttributeError):
        faults = seed = None
    whole = seed is None or (isinstance(seed, int) and not isinstance(seed, bool))
    if not isinstance(faults, dict) or not whole:
        raise ValueError(
            'send {"faults": {"drop-after": 0.2}, "seed": 7}: a JSON object, the seed may be left out'
        )
    return faults, seed


def _failure(plan: Plan) -> web.Response | None:
    code = plan.error()
    if code is None:
        return None
    headers = {}
    if after := math.ceil(plan.magnitude("retry-after")):
        plan.fire("retry-after")
        dated = plan.hits("retry-after-date")
        headers["Retry-After"] = (
            formatdate(math.ceil(time.time()) + after, usegmt=True) if dated else str(after)
        )
    return problem(code, "this is a fault of the origin, as asked for", headers)


def _redirect(plan: Plan, request: web.Request, query: Query) -> web.Response | None:
    hops, loop, here = int(plan.magnitude("redirect")), int(plan.magnitude("redirect-loop")), request.rel_url
    if plan.hits("redirect-host"):
        location = f"http://{query.to}{here.update_query({'redirect-host': '0'})}"
    elif hops:
        plan.fire("redirect")
        location = str(here.update_query({"redirect": str(hops - 1)}))
    elif loop:
        plan.fire("redirect-loop")
        location = str(here.update_query({"redirect-loop": str(loop), "hop": str((query.hop + 1) % loop)}))
    else:
        return None
    return web.Response(status=302, headers={"Location": location})


def _changed(plan: Plan, find: Callable[[int], Representation | None]) -> Representation | None:
    """Find the thing in the version that the faults say it is at by now."""
    ahead = plan.changes()
    thing = find(ahead)
    before = find(0) if thing and ahead and plan.hits("stale-etag") else None
    return replace(thing, validators=before.validators, sha256=None) if thing and before else thing


def _lies(reply: Answer, request: web.Request) -> dict[str, str | None]:
    """Return the header fields to change (None: remove) at the last moment, behind aiohttp's back."""
    manner = reply.manner
    if manner.framing == "chunked" and request.version >= (1, 1):
        return {"Content-Length": None, "Transfer-Encoding": "chunked"} | _encoding(reply)
    if manner.framing != "length":
        return {"Content-Length": None, "Connection": "close"} | _encoding(reply)
    return {"Content-Length": str(reply.length + manner.lie)} if manner.lie else {}


def _encoding(reply: Answer) -> dict[str, str | None]:
    return {"Content-Encoding": "gzip"} if reply.manner.gzip else {}


async def _tell_lies(request: web.Request, response: web.StreamResponse) -> None:
    for name, value in request.get("lies", {}).items():
        response.headers.pop(name, None)
        if value is not None:
            response.headers[name] = value
