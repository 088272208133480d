"""Errors for people: every 4xx and 5xx is a problem document (RFC 9457)."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from redis.exceptions import RedisError
from starlette.exceptions import HTTPException


def problem(
    status: int, detail: str, headers: Mapping[str, str] | None = None, **extra: object
) -> JSONResponse:
    """A problem document; `detail` says what was wrong, with which value, and what to do."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return JSONResponse({**body, **extra}, status, headers, media_type="application/problem+json")


def install_problems(app: FastAPI, statuses: Mapping[type[Exception], int]) -> None:
    """Answer each exception type of `statuses` with its status and its own words."""
    for error_type, status in statuses.items():
        app.add_exception_handler(error_type, _worded(status))
    app.add_exception_handler(RedisError, _redis_away)
    app.add_exception_handler(Exception, _bug)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)


def _worded(status: int):  # type: ignore[no-untyped-def]  # Starlette's handler type is a union of callables
    async def handle(request: Request, error: Exception) -> JSONResponse:
        return problem(status, str(error))

    return handle


async def _redis_away(request: Request, error: Exception) -> JSONResponse:
    return problem(503, f"Redis does not answer, so look whether this was done before you ask again: {error}")


async def _bug(request: Request, error: Exception) -> JSONResponse:
    return problem(500, "this is a bug of the service, not of the request; its log has the details")


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return problem(error.status_code, error.detail, error.headers)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    wrong = [_told(one) for one in error.errors()]
    return problem(422, "; ".join(wrong), errors=wrong)


def _told(one: Mapping[str, Any]) -> str:
    """One thing that is wrong, where, and with which value."""
    if one["type"] == "json_invalid":
        return f"the body is no JSON: {one['ctx']['error']} at character {one['loc'][-1]}"
    where = ".".join(map(str, one["loc"][1:])) or one["loc"][0]
    given = "" if one["type"] == "missing" else f", not {one['input']!r:.80}"
    return f"{where}: {one['msg']}{given}"
