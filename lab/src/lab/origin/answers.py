"""What to answer and how: status, header fields, which bytes, and in which (mis)behaved manner. Pure."""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from multidict import CIMultiDict

from lab.origin.content import File
from lab.origin.faults import Plan
from lab.origin.ranges import Selection, Validators, select


@dataclass(frozen=True)
class Representation:
    """Something to serve. `file` is what `read` reads, where that can be sent without copying."""

    size: int
    content_type: str
    validators: Validators
    read: Callable[[int, int], bytes]
    file: File | None = None
    sha256: str | None = None
    robots: str | None = None


@dataclass(frozen=True)
class Manner:
    """How the body is sent. The default is: as it should be."""

    rate: float = 0.0  # bytes a second; 0 is unlimited
    gap: float = 0.0  # seconds between single bytes
    cut: int | None = None  # reset after so many bytes
    framing: str = "length"  # or "chunked", or "close"
    gzip: bool = False
    lie: int = 0  # bytes too many in Content-Length
    stall: bool = False

    @property
    def raw(self) -> bool:
        """Whether the bytes go out as they are, at once: those may be sent without copying."""
        return not (self.rate or self.gap or self.gzip or self.stall or self.framing == "chunked")

    @property
    def is_default(self) -> bool:
        """Whether the body is sent as it should be."""
        return self is AS_IT_SHOULD_BE


AS_IT_SHOULD_BE = Manner()


@dataclass(frozen=True)
class Answer:
    """A response before it is sent: the bytes from start up to, not including, stop."""

    status: int
    start: int
    stop: int
    headers: Mapping[str, str]
    manner: Manner = field(default=AS_IT_SHOULD_BE)

    @property
    def length(self) -> int:
        return self.stop - self.start


def answer(method: str, fields: Mapping[str, str], thing: Representation, plan: Plan | None) -> Answer:
    """Decide the whole answer; `fields` must look names up in any case.

    Every fault that shows in the answer is counted here, once.
    """
    if plan is None:
        selection = select(method, fields, thing.validators, thing.size)
        return Answer(selection.status, selection.start, selection.stop, _headers(thing, selection))
    gzip = thing.size > 0 and plan.hits("force-encoding")
    selection = select(method, _misread(fields, plan, whole=gzip), thing.validators, thing.size)
    selection = _shifted(selection, thing.size, plan)
    if gzip:
        thing = replace(thing, validators=_weakened(thing.validators))
    manner = _declared(plan, selection.stop - selection.start, gzip=gzip)
    if method == "GET" and selection.stop > selection.start:
        manner = _sent(plan, selection.stop - selection.start, manner)
    return Answer(selection.status, selection.start, selection.stop, _headers(thing, selection), manner)


def _headers(thing: Representation, selection: Selection) -> dict[str, str]:
    headers = {"Accept-Ranges": "bytes"}
    if thing.validators.etag:
        headers["ETag"] = thing.validators.etag
    if thing.validators.last_modified:
        headers["Last-Modified"] = thing.validators.last_modified
    if selection.status in (200, 206):
        headers["Content-Type"] = thing.content_type
        if thing.sha256:
            headers["Repr-Digest"] = repr_digest(thing.sha256)
        if thing.robots:
            headers["X-Robots-Tag"] = thing.robots
    if selection.status == 206:
        headers["Content-Range"] = f"bytes {selection.start}-{selection.stop - 1}/{thing.size}"
    if selection.status == 416:
        headers["Content-Range"] = f"bytes */{thing.size}"
    return headers


def repr_digest(sha256: str) -> str:
    """Return the Repr-Digest field (RFC 9530) for a SHA-256 in hex."""
    return f"sha-256=:{base64.b64encode(bytes.fromhex(sha256)).decode()}:"


def _misread(fields: Mapping[str, str], plan: Plan, *, whole: bool) -> Mapping[str, str]:
    """Return the request's fields as a server reads them that does not do ranges well."""
    if "Range" not in fields:
        return fields
    by_tag = fields.get("If-Range", "").endswith('"')
    if whole or plan.hits("ignore-range") or (by_tag and plan.hits("reject-if-range-etag")):
        fields = CIMultiDict(fields)
        del fields["Range"]
    return fields


def _shifted(selection: Selection, size: int, plan: Plan) -> Selection:
    """Move a partial answer, as far as it stays within the file."""
    shift = int(plan.magnitude("wrong-range"))
    start = min(max(selection.start + shift, 0), size)
    stop = min(max(selection.stop + shift, 0), size)
    if selection.status != 206 or start >= stop or start == selection.start:
        return selection
    plan.fire("wrong-range")
    return Selection(206, start, stop)


def _weakened(validators: Validators) -> Validators:
    """A strong tag does not survive a change of encoding (RFC 9110 §8.8.3)."""
    etag = validators.etag
    return replace(validators, etag=f"W/{etag}" if etag and not etag.startswith("W/") else etag)


def _declared(plan: Plan, length: int, *, gzip: bool) -> Manner:
    """The part of the manner that the header fields show."""
    if not length:
        return AS_IT_SHOULD_BE
    framing = "chunked" if plan.hits("no-length") or gzip else "length"
    if plan.hits("close-length"):
        framing = "close"
    lie = _counted(plan, "wrong-length") if framing == "length" else 0
    return Manner(framing=framing, gzip=gzip, lie=max(-length, int(lie)))


def _sent(plan: Plan, length: int, manner: Manner) -> Manner:
    """The part of the manner that only a body has."""
    return replace(
        manner,
        rate=_counted(plan, "bandwidth"),
        gap=_counted(plan, "slow-loris"),
        cut=_cut(plan, length),
        stall=plan.hits("stall"),
    )


def _counted(plan: Plan, name: str) -> float:
    if plan.magnitude(name):
        plan.fire(name)
    return plan.magnitude(name)


def _cut(plan: Plan, length: int) -> int | None:
    """Return after how many bytes to reset, if within the body and the draw says so."""
    after = plan.magnitude("drop-after")
    cut = int(after * length) if after < 1 else int(after)
    if not after or cut >= length:
        return None
    if "drop-rate" in plan.magnitudes and not plan.hits("drop-rate"):
        return None
    plan.fire("drop-after")
    return cut
