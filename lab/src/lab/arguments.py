"""Arguments that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from lab.learner import completion

ChallengeName = Annotated[
    str,
    typer.Argument(
        help="A challenge's code, folder or module: T1, downloader.", autocompletion=completion.challenges
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document.")]
ComposeFile = Annotated[
    Path | None, typer.Option("--file", "-f", help="The Compose file.", show_default=False)
]
