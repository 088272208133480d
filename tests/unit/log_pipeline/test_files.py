"""A group is written whole or not at all, whichever file fails."""

from pathlib import Path

import pytest

from log_pipeline.adapters.files import Files
from log_pipeline.contract import Batch, Priority, SinkFailed


def test_a_full_disk_takes_nothing_of_a_group_and_all_of_it_when_there_is_room(tmp_path: Path) -> None:
    files = Files(tmp_path, 10**9, 1, sync=True)
    group = [Batch("a", Priority.CRITICAL, b"1\n", 1), Batch("a", Priority.REST, b"2\n", 1)]
    (tmp_path / "rest.jsonl").symlink_to("/dev/full")
    for _ in range(2):
        with pytest.raises(SinkFailed, match="No space left on device"):
            files.write(group)
        assert (tmp_path / "critical.jsonl").read_bytes() == b""
    (tmp_path / "rest.jsonl").unlink()
    files.write(group)
    files.close()
    assert [(tmp_path / f"{name}.jsonl").read_bytes() for name in ("critical", "rest")] == [b"1\n", b"2\n"]
