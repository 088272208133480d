"""The menu of the bare `lab`: the path, what was done, what is next; and the commands for one challenge."""

import shutil
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from typing import Any

import questionary
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent, merge_key_bindings
from questionary import Choice, Separator, Style

from lab.learner.syllabus import DIMENSIONS, Entry, Week, weeks
from lab.progress.store import Store
from lab.progress.summary import Standing, standings, suggested
from lab.progress.view import overview

__all__ = ["menu"]

STYLE = Style([("separator", "bold"), ("disabled", "fg:ansibrightblack"), ("highlighted", "bold reverse")])
KEYS = "arrows and Enter; q or Esc leaves"
MINUTES = 60
NARROWEST = 20  # columns that a text is wrapped to


def menu(store: Store) -> None:
    """Let the learner choose, run what is chosen, and come back, until q, Esc or Ctrl-C."""
    while True:
        taught = weeks()
        every = standings(taught, store.read())
        chosen = _ask(_question(every), _path(taught, every), suggested(every))
        if chosen is None:
            return
        _about(chosen)


def _question(every: Sequence[Standing]) -> str:
    following = suggested(every)
    next_one = f" Next: {following.entry.code}." if following else ""
    return f"{overview(every)}{next_one}"


def _path(taught: Sequence[Week], every: Sequence[Standing]) -> list[Choice | Separator]:
    standing = {one.entry.code: one for one in every}
    width = max(len(one.entry.challenge.title) for one in every)
    shown: list[Choice | Separator] = []
    for week in taught:
        shown.append(Separator(f"\n  {week.category}"))
        shown += [_choice(standing[entry.code], width) for entry in week.entries]
    return shown


def _choice(standing: Standing, width: int) -> Choice:
    entry = standing.entry
    dots = "●" * entry.hardest + "○" * (5 - entry.hardest)
    line = f"{entry.code}  {entry.challenge.title:<{width}}  {_hours(entry.minutes):>7}  {dots}"
    if not entry.installed:
        return Choice(line, standing, disabled="coming")
    return Choice(f"  {line}  {standing.words}", standing)  # indented as what is disabled is by its dash


def _hours(minutes: int) -> str:
    hours, rest = divmod(minutes, MINUTES)
    return f"{hours} h" if not rest else f"{hours} h {rest:02}" if hours else f"{rest} min"


def _about(standing: Standing) -> None:
    """The commands for one challenge, each shown as it would be typed; returns when the learner goes back."""
    entry = standing.entry
    while True:
        command = _ask(_described(entry), _commands(entry))
        if command is None:
            return
        print(f"$ lab {' '.join(command)}", flush=True)
        _run(command)
        questionary.press_any_key_to_continue("any key goes back").unsafe_ask()


def _described(entry: Entry) -> str:
    levels = ", ".join(
        f"{name} {entry.complexity[name]}" for name in DIMENSIONS if entry.complexity.get(name)
    )
    facts = (f"about {_hours(entry.minutes)}; of 5: {levels}", ", ".join(entry.skills))
    width = max(NARROWEST, shutil.get_terminal_size().columns - 4)
    lines = [line for fact in facts for line in textwrap.wrap(fact, width)]
    return "\n  ".join([f"{entry.code} {entry.challenge.title}", *lines]) + "\n"


def _commands(entry: Entry) -> list[Choice]:
    code, service = entry.code, entry.challenge.folder
    told = {
        ("start", code): "your file from the starter, and the brief",
        ("watch", code): "judge at every save",
        ("check", code): "judge once, everything",
        ("hint", code): "one hint more",
        ("load", code): "realistic load on the live service",
        ("compare", code): "all engines under the same load",
        ("experiment", code): "claims to put to the test",
        ("use", service, "mine"): "run your engine in the live service",
        ("use", service, "reference"): "run the reference again",
        ("solution", code): "the reference, after a pass",
        ("progress",): "what you have done",
        ("new", "--help"): "make a challenge of your own",
    }
    width = max(len(" ".join(command)) for command in told)
    return [Choice(f"lab {' '.join(command):<{width}}  {what}", command) for command, what in told.items()]


def _run(command: Sequence[str]) -> None:
    """Run a command of the lab as the shell would; Ctrl-C is for it, not for the menu."""
    process = subprocess.Popen([sys.executable, "-m", "lab", *command])
    while True:
        try:
            process.wait()
            return
        except KeyboardInterrupt:
            continue


def _ask(question: str, choices: Sequence[Choice | Separator], first: Any = None) -> Any:
    """What was chosen; None for q, Esc and Ctrl-C."""
    asked = questionary.select(
        question, list(choices), default=first, instruction=f"({KEYS})", qmark="", pointer="▸", style=STYLE
    )
    application = asked.application
    application.erase_when_done = True
    application.ttimeoutlen = 0.05  # seconds; an Escape that stays alone this long is one
    application.key_bindings = merge_key_bindings([application.key_bindings or KeyBindings(), _leaving()])
    try:
        return asked.unsafe_ask()
    except KeyboardInterrupt:
        return None


def _leaving() -> KeyBindings:
    bindings = KeyBindings()

    @bindings.add("q")
    @bindings.add("Q")
    @bindings.add("escape")
    def _(event: KeyPressEvent) -> None:
        event.app.exit(result=None)

    return bindings
