"""A robots.txt as a parser should see it that does not know our name: three mends in one pass.

Protego 0.7 takes a byte order mark for a part of the first line, lets `User-agent: my` match `mybot`, and lets a
Crawl-delay between two User-agent lines split their group (RFC 9309, 2.2.1, has one product token, matched whole).
"""

import re

__all__ = ["US", "ours"]

US, OTHERS = "us", "others"
FIELD = re.compile(r"\s*(user-agent|crawl-delay)\s*:\s*([^#\s]*)", re.I)
TOKEN = re.compile(r"\*|[a-z_-]*", re.I)


def ours(text: str, agent: str) -> str:
    """`text` with every group for `agent` under the name `US`, `*` as it is, and all others as `OTHERS`."""
    lines: list[str] = []
    delays: list[str] = []
    in_names = False
    for line in text.removeprefix("\ufeff").splitlines():
        field = FIELD.match(line)
        if field and field[1].lower() == "user-agent":
            in_names = True
            lines.append(f"User-agent: {_name(field[2], agent)}")
        elif field and in_names:
            delays.append(line)
        elif line.strip() and not line.lstrip().startswith("#"):
            lines += [*delays, line]
            delays, in_names = [], False
    return "\n".join([*lines, *delays])


def _name(value: str, agent: str) -> str:
    token = TOKEN.match(value)
    found = token[0].lower() if token else ""
    return found if found == "*" else US if found == agent else OTHERS
