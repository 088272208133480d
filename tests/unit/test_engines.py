"""What is wrong with a learner's file is told as Python tells it, and only with lines of that file."""

import re
from pathlib import Path

import pytest

from lab_kit.engines import EngineUnavailable, engine_class

WRONG = {
    "a name that is not there": ("\n\ntotal = nowhere + 1\n", 3, "NameError: name 'nowhere' is not defined"),
    "deep inside": ("def deep():\n    return 1 / 0\n\ndeep()\n", 2, "ZeroDivisionError: division by zero"),
    "no Python": ("def start(:\n", 1, "SyntaxError: invalid syntax"),
    "it wants to end the process": ("import sys\nsys.exit(3)\n", 2, "SystemExit: 3"),
}


@pytest.mark.parametrize("what", WRONG)
def test_an_error_names_the_line_of_the_file_and_nothing_of_the_lab(what: str, tmp_path: Path) -> None:
    text, line, error = WRONG[what]
    (tmp_path / "downloader.py").write_text(text)
    with pytest.raises(EngineUnavailable) as raised:
        engine_class("downloader", "mine", tmp_path)
    told = str(raised.value)
    assert told.rstrip().endswith(error)
    assert f'File "{tmp_path / "downloader.py"}", line {line}' in told
    assert set(re.findall(r'File "([^"]+)"', told)) == {str(tmp_path / "downloader.py")}


def test_a_file_without_the_engine_says_which_name_is_missing(tmp_path: Path) -> None:
    (tmp_path / "downloader.py").write_text("class Downloader:\n    pass\n")
    with pytest.raises(EngineUnavailable, match="has no attribute"):
        engine_class("downloader", "mine", tmp_path)


def test_no_file_and_no_such_engine(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="write your engine there first"):
        engine_class("downloader", "mine", tmp_path)
    with pytest.raises(EngineUnavailable, match="no engine 'nonsense': there are reference, naive and mine"):
        engine_class("downloader", "nonsense", tmp_path)
