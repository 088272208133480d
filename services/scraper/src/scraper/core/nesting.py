"""How deep a page may nest. For each element a parser may walk past all that are open, so depth costs its square:
four MiB of nothing but `<div>` would take it half an hour, and they are four KiB on the wire."""

import re

__all__ = ["DEEPEST", "shallow"]

DEEPEST = 1000
"""Elements that are open at once. Browsers stop at some hundreds."""
TAG = re.compile(r"<(/?)([A-Za-z][^\s/>]*)")
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
FLAT = VOID | {"colgroup", "p", "tbody", "td", "tfoot", "th", "thead", "tr"}
"""Never closed, or closed by the next of their kind wherever that is."""
ITEMS = {"dd": "dt", "dt": "dt", "li": "li"}
"""Closed by the next of their kind, if nothing is open between the two."""


def shallow(text: str) -> str:
    """`text` as far as it is certain that no more than `DEEPEST` elements are open: an end tag that is not of the
    last one closes nothing here, as it may close nothing there."""
    if text.count("<") <= DEEPEST:
        return text
    opened = [""]
    for tag in TAG.finditer(text):
        name = tag[2].lower()
        kind = ITEMS.get(name, name)
        if tag[1] and opened[-1] == kind:
            opened.pop()
        elif not (tag[1] or name in FLAT or (name in ITEMS and opened[-1] == kind)):
            opened.append(kind)
            if len(opened) > DEEPEST + 1:
                return text[: tag.start()]
    return text
