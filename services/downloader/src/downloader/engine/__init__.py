"""THE LESSON: one lock around the state (`books`, changed through `ledger` by users and `leases` by workers),
workers that never hold it while they wait (`worker`), and a manager that gives each free worker what waits
(`manager`)."""

from downloader.engine.manager import DownloadManager

__all__ = ["DownloadManager"]
