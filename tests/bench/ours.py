"""Our engine as a program: fetches the URLs listed in a file into a folder, with its real ports."""

import argparse
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

from downloader.adapters.cores import home_core
from downloader.adapters.hosts import AllowedHosts
from downloader.adapters.storage import FileStorage
from downloader.adapters.transport import HttpTransport
from downloader.contract import Job, Limits, Ports, State, Status
from downloader.engine import DownloadManager


def fetch(urls: list[str], folder: Path, connections: int, checksum: bool) -> None:
    """Fetch all; SystemExit with the first error."""
    place, left, over = urlsplit(urls[0]).netloc, len(urls), threading.Event()
    left_lock, failures = threading.Lock(), []

    def finished(status: Status) -> None:
        nonlocal left
        with left_lock:
            left -= 1
            if status.state is not State.DONE:
                failures.append(status.error)
            if left == 0 or failures:
                over.set()

    cores = home_core()
    ports = Ports(
        transport=HttpTransport(AllowedHosts([place], "http://127.0.0.1:1")),
        storage=FileStorage(folder),
        gather=cores.gather,
        spread=cores.spread,
        finished=finished,
    )
    limits = Limits(workers=connections, per_host=connections, per_download=connections, checksum=checksum)
    manager = DownloadManager(ports, limits)
    manager.start([Job(url, str(number), id=str(number)) for number, url in enumerate(urls)])
    over.wait()
    manager.shutdown(drain=False)
    if failures:
        sys.exit(str(failures[0]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("urls", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--connections", type=int, required=True)
    parser.add_argument("--checksum", action="store_true")
    options = parser.parse_args()
    urls = options.urls.read_text().split()
    if urls:
        fetch(urls, options.folder, options.connections, options.checksum)


if __name__ == "__main__":
    main()
