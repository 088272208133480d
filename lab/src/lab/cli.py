"""The command `lab`. Each group of commands lives beside what it does and registers itself here.

Exit codes: 0 done, 1 failed, 64 wrong usage (EX_USAGE of sysexits.h), 130 interrupted; `check` has two more.
"""

import io
import sys

import typer

from lab import Ended, LabError, WrongUsage, clients
from lab.bench import commands as bench_commands
from lab.compare import commands as compare_commands
from lab.experiments import commands as experiment_commands
from lab.grader import commands as grader_commands
from lab.learner import commands as learner_commands
from lab.load import commands as load_commands
from lab.progress import commands as progress_commands
from lab.scaffold import commands as scaffold_commands
from lab.supervisor import commands as supervisor_commands

__all__ = ["main"]

USAGE = 64
INTERRUPTED = 130

app = typer.Typer(
    name="lab",
    invoke_without_command=True,
    rich_markup_mode=None,  # Rich takes longer to import than everything else together
    pretty_exceptions_enable=False,
)
for group in (
    learner_commands,
    grader_commands,
    compare_commands,
    experiment_commands,
    bench_commands,
    progress_commands,
    load_commands,
    supervisor_commands,
    scaffold_commands,
    clients,
):
    group.register(app)


@app.callback()
def overview(context: typer.Context) -> None:
    """Watch, break, rewrite and judge ten small concurrent services. Alone, `lab` opens the menu."""
    if context.invoked_subcommand is None:
        learner_commands.menu()


def main() -> None:
    """Run the command line; what a person can put right is one sentence on stderr, never a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that has no … shows ?
    try:
        app(prog_name="lab")
    except LabError as error:
        print(error, file=sys.stderr)
        sys.exit(USAGE if isinstance(error, WrongUsage) else 1)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Ended:
        raise
    except SystemExit as ending:
        sys.exit(USAGE if ending.code == 2 else ending.code)  # 2 is what the library says for wrong usage
