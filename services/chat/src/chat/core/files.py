"""Which files are taken, and how they are named when they are given back."""

import re

__all__ = ["TYPES", "media_type_of", "shown_name"]

TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".pdf": "application/pdf",
    ".txt": "text/plain",
    ".md": "text/plain",
    ".csv": "text/csv",
    ".json": "application/json",
    ".log": "text/plain",
    ".zip": "application/zip",
    ".gz": "application/gzip",
    ".py": "text/plain",
}
_UNSAFE = re.compile(r"[^\w. ()\[\]-]+")


def shown_name(given: str) -> str:
    """The last part of what a client called its file, without what could be a path or a control character.
    It is shown, and never becomes a path."""
    name = _UNSAFE.sub("_", given.replace("\\", "/").rpartition("/")[2]).strip(" .")
    return name[-100:] or "file"


def media_type_of(name: str) -> str | None:
    """What a file of this name is served as; None for what is not taken. Nothing is served as a page or a
    script."""
    return TYPES.get("." + name.lower().rpartition(".")[2])
