"""The origin's HTTP face: routes, and the way of a request past its faults to its answer."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from lab.origin.answers import Answer, Representation, answer
from lab.origin.config import Settings
from lab.origin.content import domain_of
from lab.origin.faults import Faults, Plan
from lab.origin.metrics import Metrics
from lab.origin.mishaps import failure, lies, redirect, spoken, tell_lies
from lab.origin.problems import BadInput, problem
from lab.origin.query import PLAIN, Query, parse_query
from lab.origin.things import Digests, Things
from lab.origin.wire import send_body, wire_of

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Find = Callable[[Query, int], Representation | None]

ROUTES = {
    "/": "home",
    "/page/{number}": "page",
    "/calendar/{year}/{month}": "month",
    "/private/{name}": "private",
    "/robots.txt": "robots",
    "/sitemap.xml": "sitemap",
    "/files/{size}/{name:.+}": "file",
    "/sha256/{size}/{name:.+}": "sha256",
    "/health": "health",
    "/ready": "health",
    "/metrics": "scrape",
    "/lab/faults": "get_faults",
}
_ELSE = "other"
_SMALL = 32 * 1024  # bytes: up to here, copying is cheaper than sendfile


class Origin:
    """All state of one origin. Belongs to one event loop, except for hashing, which threads do."""

    def __init__(self, settings: Settings) -> None:
        self.faults = Faults(settings.origin_seed)
        self.digests = Digests()
        self.things = Things(settings, self.digests)
        self.metrics = Metrics(self.faults, [*ROUTES, _ELSE])

    def runner(self) -> web.AppRunner:
        """Return what serves the origin. A client that leaves ends its handler; a stop takes a second."""
        app = web.Application(client_max_size=64 * 1024)
        app.on_response_prepare.append(tell_lies)
        for route, name in ROUTES.items():
            app.router.add_get(route, self._measured(route, getattr(self, name)))
        app.router.add_put("/lab/faults", self._measured("/lab/faults", self.set_faults))
        app.router.add_route("*", "/{path:.*}", self._measured(_ELSE, self.missing))
        runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.5)
        self.metrics.connections.set_function(lambda: len(runner.server.connections) if runner.server else 0)
        return runner

    def _measured(self, route: str, handler: Handler) -> Handler:
        metrics, seconds = self.metrics, self.metrics.seconds(route)

        async def measured(request: web.Request) -> web.StreamResponse:
            began, code = time.perf_counter(), 499
            metrics.in_flight.inc()
            try:
                response = await _answered(request, handler)
                code = response.status
                return response
            finally:
                metrics.in_flight.dec()
                metrics.request(route, code).inc()
                seconds.observe(time.perf_counter() - began)

        return measured

    async def home(self, request: web.Request) -> web.StreamResponse:
        domain = _domain(request)
        return await self._serve(request, lambda _, ahead: self.things.home(domain, ahead))

    async def page(self, request: web.Request) -> web.StreamResponse:
        domain, number = _domain(request), request.match_info["number"]
        return await self._serve(request, lambda _, ahead: self.things.page(domain, number, ahead))

    async def month(self, request: web.Request) -> web.StreamResponse:
        domain, wanted = _domain(request), request.match_info
        return await self._serve(
            request, lambda _, ahead: self.things.month(domain, wanted["year"], wanted["month"])
        )

    async def private(self, request: web.Request) -> web.StreamResponse:
        return await self._serve(request, lambda _, ahead: self.things.private())

    async def robots(self, request: web.Request) -> web.StreamResponse:
        domain = _domain(request)
        return await self._serve(request, lambda _, ahead: self.things.robots(domain))

    async def sitemap(self, request: web.Request) -> web.StreamResponse:
        domain, host = _domain(request), _host(request)
        return await self._serve(request, lambda _, ahead: self.things.sitemap(domain, host))

    async def file(self, request: web.Request) -> web.StreamResponse:
        domain, size, name = _domain(request), request.match_info["size"], request.match_info["name"]
        return await self._serve(
            request, lambda query, ahead: self.things.file(domain, size, name, query, ahead), strict=True
        )

    async def sha256(self, request: web.Request) -> web.StreamResponse:
        size, name = request.match_info["size"], request.match_info["name"]
        version = _query_of(request, strict=True).version
        file = self.things.identify(_domain(request), size, name, version)
        return web.json_response({"size": file.size, "sha256": await self.digests.get(file)})

    async def missing(self, request: web.Request) -> web.StreamResponse:
        if request.method in ("GET", "HEAD"):
            return problem(404, f"there is no {request.path} here; / says what there is")
        allowed = "GET, HEAD, PUT" if request.path == "/lab/faults" else "GET, HEAD"
        return problem(405, f"{request.method} does not work here: use {allowed}", {"Allow": allowed})

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
        except BadInput as error:
            return problem(422, str(error))
        return await self.get_faults(request)

    async def _serve(self, request: web.Request, find: Find, *, strict: bool = False) -> web.StreamResponse:
        """Answer with what `find` finds, unless a fault gets in the way."""
        query = _query_of(request, strict=strict)
        plan = self.faults.plan(_domain(request), request.path, query.key, query.faults)
        if plan is None:
            thing = find(query, 0)
        else:
            await asyncio.sleep(plan.delay())
            mishap = failure(plan) or redirect(plan, request, query)
            if mishap is not None:
                return mishap
            thing = _changed(plan, lambda ahead: find(query, ahead))
        if thing is None:
            return problem(404, f"there is no {request.path} on this domain")
        reply = answer(request.method, request.headers, thing, plan)
        return await self._send(request, spoken(reply, request.version), thing)

    async def _send(self, request: web.Request, reply: Answer, thing: Representation) -> web.StreamResponse:
        if reply.manner.is_default and reply.length <= _SMALL and request.method == "GET":
            self.metrics.sent.inc(reply.length)
            body = thing.read(reply.start, reply.stop)
            return web.Response(status=reply.status, headers=reply.headers, body=body)
        response = web.StreamResponse(status=reply.status, headers=reply.headers)
        if reply.status != 304:
            response.content_length = reply.length
        request["lies"] = lies(reply)
        try:
            await response.prepare(request)
            if request.method == "GET" and reply.length:
                with wire_of(request, self.metrics.sent.inc) as wire:
                    await send_body(wire, reply, thing)
        except ConnectionError:
            _abort(request)
        return response


def _abort(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


async def _answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except BadInput as error:
        return problem(400, str(error))
    except web.RequestPayloadError as error:
        return problem(400, f"the body cannot be read: {error}")
    except web.HTTPException as error:
        return problem(error.status, error.text or error.reason)


def _host(request: web.Request) -> str:
    """Return the Host field. (aiohttp's own property asks the resolver where there is none.) Raises BadInput."""
    host = request.headers.get("Host", "")
    if not host.isascii():
        raise BadInput(f"Host: {host!r} is not a host: write name or name:port")
    return host


def _domain(request: web.Request) -> str:
    return domain_of(_host(request))


def _query_of(request: web.Request, *, strict: bool) -> Query:
    return parse_query(request.query, strict=strict) if request.query_string else PLAIN


def _wanted(body: bytes) -> tuple[dict[str, object], int | None]:
    """Take a PUT body apart. Raises BadInput."""
    try:
        wanted = json.loads(body)
        faults, seed = wanted["faults"], wanted.get("seed")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        faults = seed = None
    whole = seed is None or (isinstance(seed, int) and not isinstance(seed, bool))
    if not isinstance(faults, dict) or not whole:
        raise BadInput('send JSON like {"faults": {"drop-after": 0.2}, "seed": 7}; the seed may be left out')
    return faults, seed


def _changed(plan: Plan, find: Callable[[int], Representation | None]) -> Representation | None:
    """Find the thing in the version that the faults say it is at by now."""
    ahead = plan.changes()
    thing = find(ahead)
    before = find(0) if thing and ahead and plan.hits("stale-etag") else None
    return replace(thing, validators=before.validators, sha256=None) if thing and before else thing
