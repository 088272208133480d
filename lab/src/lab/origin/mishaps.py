"""The faults that replace an answer (errors, redirects) or declare a wrong one (header fields)."""

import math
import time
from dataclasses import replace
from email.utils import formatdate

from aiohttp import HttpVersion, HttpVersion11, web

from lab.origin.answers import Answer
from lab.origin.faults import Plan
from lab.origin.problems import problem
from lab.origin.query import Query


def failure(plan: Plan) -> web.Response | None:
    """Return the error to answer with, if any, and its Retry-After."""
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


def redirect(plan: Plan, request: web.Request, query: Query) -> web.Response | None:
    """Return the redirect to answer with, if any. The address carries what is still to come."""
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


def spoken(answer: Answer, version: HttpVersion) -> Answer:
    """HTTP/1.0 knows no chunks: there, a body of unknown length ends with the connection."""
    if answer.manner.framing == "chunked" and version < HttpVersion11:
        return replace(answer, manner=replace(answer.manner, framing="close"))
    return answer


def lies(answer: Answer) -> dict[str, str | None]:
    """Return the header fields to set (None: remove) in place of the true ones."""
    manner = answer.manner
    fields: dict[str, str | None] = {"Content-Encoding": "gzip"} if manner.gzip else {}
    if manner.framing == "chunked":
        fields |= {"Content-Length": None, "Transfer-Encoding": "chunked"}
    elif manner.framing == "close":
        fields |= {"Content-Length": None, "Connection": "close"}
    elif manner.lie:
        fields["Content-Length"] = str(answer.length + manner.lie)
    return fields


async def tell_lies(request: web.Request, response: web.StreamResponse) -> None:
    """Apply `request["lies"]` at the last moment, when aiohttp has made up its mind about the truth."""
    for name, value in request.get("lies", {}).items():
        response.headers.pop(name, None)
        if value is not None:
            response.headers[name] = value
