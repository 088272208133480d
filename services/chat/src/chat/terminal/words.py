"""What is typed after a slash, and what is printed."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from textwrap import wrap

from chat.terminal.door import Json

__all__ = ["HELP", "Misunderstood", "cut_off", "farewell", "line", "request", "show", "show_help", "title"]

FOR_A_WHILE = "600"  # seconds
FOR_PEOPLE = {
    "unavailable": "the service cannot do that at the moment: try again soon",
    "malformed": "the service did not understand that: /help lists what there is",
}
USER = re.compile(r"@?([a-z][a-z0-9_-]{0,31})")
COMMANDS: Mapping[str, str] = {
    "topic": "TEXT", "announce": "TEXT", "invite": "NAME", "kick": "NAME", "ban": "NAME SECONDS", "unban": "NAME",
    "mute": "NAME SECONDS", "unmute": "NAME", "slow": "SECONDS", "role": "NAME ROLE", "close": "",
}  # fmt: skip
OWN = (
    "/join ROOM or @NAME · /create ROOM [private] · /leave · /rooms · /people · /history · /edit TEXT · /delete · "
    "/away · /back"
)
WIDTH = 76
HELP = " · ".join((OWN, *(f"/{verb} {what}".strip() for verb, what in COMMANDS.items()), "/help · /quit"))


class Misunderstood(Exception):
    """The text says what to type instead."""


def request(verb: str, rest: str) -> Json:
    """An administrator's command. Raises `Misunderstood`."""
    if verb not in COMMANDS:
        raise Misunderstood(f"there is no /{verb}: /help lists what there is")
    try:
        return {"type": "command", "verb": verb, **_about(COMMANDS[verb], rest)}
    except ValueError:
        raise Misunderstood(f"type /{verb} {COMMANDS[verb]}") from None


def _about(what: str, rest: str) -> Json:
    """What a command needs beside the room. Raises `ValueError`."""
    first, _, more = rest.strip().partition(" ")
    match what:
        case "TEXT":
            return {"text": rest}
        case "SECONDS":
            return {"seconds": abs(float(first or "0"))}
        case "NAME":
            return {"user": _user(first)}
        case "NAME SECONDS":
            return {"user": _user(first), "seconds": abs(float(more or FOR_A_WHILE))}
        case "NAME ROLE":
            return {"user": _user(first), "text": more}
        case _:
            return {}


def _user(word: str) -> str:
    found = USER.fullmatch(word)
    if not found:
        raise ValueError(word)
    return found[1]


def title(room: str, me: str) -> str:
    """How a room is called; a private conversation, after the other one."""
    others = [name for name in room.split("+") if name != me] if "+" in room else []
    return f"@{others[0]}" if others else room


def farewell(place: str, why: str | None, by: str) -> str:
    """What is said to whom a room, called `place`, is no more."""
    match why:
        case "kick":
            return f"you are no longer in {place}: {by} put you out"
        case "ban":
            return f"you are no longer in {place}: {by} banned you"
        case "close":
            return f"you are no longer in {place}: {by} closed it"
        case "leave":
            return f"you are no longer in {place}: you left it on another device"
        case _:
            return f"you are no longer in {place}{f': {why}' if why else ''}"


def cut_off(place: str) -> str:
    return f"you were away for long: the oldest messages of {place} that you missed are not kept any more"


def line(message: Json, here: str, me: str, url: str) -> str:
    """What to print of a message to `me` who is in the room `here`; nothing for what only programs need."""
    room = message.get("room", "")
    place = "" if room == here else f"[{title(room, me)}] "
    match message["type"]:
        case "message":
            called = "* " if me in message.get("mentions", ()) else ""
            return f"{place}{called}{message['user']}: {message['text']}{_file(message.get('file'), url)}"
        case "edited":
            return f"{place}{message['user']} meant: {message['text']}"
        case "deleted":
            return f"{place}{message['user']} took a message back"
        case "change":
            return f"{place}-- {message['by']} {_did(message)}"
        case "presence":
            has_left = message["state"] == "left"
            return f"{place}-- {message['user']} {'has left' if has_left else 'is ' + message['state']}"
        case _:
            return _answer(message)


def _did(change: Json) -> str:
    user, text, seconds = change.get("user"), change.get("text"), f"{change.get('seconds', 0):g} s"
    match change["verb"]:
        case "slow":
            return f"allows one message in {seconds}" if change.get("seconds") else "ended the slow mode"
        case "topic":
            return f"set the topic: {text}" if text else "removed the topic"
        case "role":
            return f"made {user} {text}"
    plain = {
        "invite": f"invited {user}", "kick": f"kicked {user}", "ban": f"banned {user} for {seconds}",
        "unban": f"lets {user} in again", "mute": f"muted {user} for {seconds}",
        "unmute": f"lets {user} speak again", "announce": f"announces: {text}", "close": "closed the room",
    }  # fmt: skip
    return plain.get(change["verb"]) or str(change["verb"])


def _file(file: Json | None, url: str) -> str:
    return f" <{file['name']}: {url}/v1/files/{file['id']}>" if file else ""


def _answer(message: Json) -> str:
    match message["type"]:
        case "error":
            return f"-- {FOR_PEOPLE.get(message['code']) or message['detail']}"
        case "delayed":
            return "-- the service is not well: what you say waits, and is sent again by itself"
        case "settled":
            return "-- the service is well again: all you said has arrived"
        case "refused":
            return f"-- not said: {message['text']!r}: {message['detail']}"
        case "people":
            more = ", and more" if message.get("more") else ""
            return "-- " + ", ".join(_person(one) for one in message["people"]) + more
        case "rooms":
            return f"-- {_rooms(message['rooms'])}"
        case "notice" if message["why"] == "invited":
            return f"-- {message['from']} invites you: /join {message['room']}"
        case "notice" if message["why"] == "mention":
            return f"-- {message['from']} mentions you: /join {message['room']}"
        case _:
            return ""


def _person(person: Json) -> str:
    seen = person.get("seen") if person["state"] == "offline" else None
    since = f" since {datetime.fromtimestamp(seen):%H:%M}" if seen else ""
    return f"{person['user']} ({person['state']}{since})"


def _rooms(rooms: Sequence[Json]) -> str:
    mine, others = (", ".join(_room(one) for one in rooms if one["member"] is here) for here in (True, False))
    return " · ".join(filter(None, (mine and f"you are in: {mine}", others and f"you could join: {others}")))


def _room(room: Json) -> str:
    name = f"@{room['with']}" if room.get("with") else room["room"]
    return f"{name} ({room['unread']} unread)" if room.get("unread") else name


def show_help() -> None:
    """In lines that fit on any terminal, and break between two commands only."""
    whole = (command.replace(" ", "\N{NO-BREAK SPACE}") for command in HELP.split(" · "))
    for part in wrap("\N{NO-BREAK SPACE}· ".join(whole), WIDTH):
        show(f"-- {part}")


def show(text: str) -> None:
    """Print it, but nothing that could steer the terminal."""
    if text:
        print("".join(letter if letter.isprintable() else " " for letter in text), flush=True)
