"""Errors for people: what was wrong, with which value, and what would do (RFC 9457)."""

from http import HTTPStatus

from aiohttp import web


class BadInput(ValueError):
    """Input that nobody can use. Its text is fit to be shown; nothing has changed."""


def problem(status: int, detail: str, headers: dict[str, str] | None = None) -> web.Response:
    """Return a problem document."""
    title = HTTPStatus(status).phrase if status in set(HTTPStatus) else "Unassigned"
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return web.json_response(body, status=status, headers=headers, content_type="application/problem+json")
