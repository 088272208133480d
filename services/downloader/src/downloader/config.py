"""Settings of the downloader, from the environment."""

from pydantic import Field

from downloader.contract import Limits
from lab_kit.settings import ServiceSettings


class Settings(ServiceSettings):
    """Frozen; see `ServiceSettings`. `lab_allowed_hosts` is a comma-separated list."""

    port: int = Field(default=8001, ge=0, le=65535)
    lab_allowed_hosts: str = "*.lab.test"
    downloader_public_url: str = ""
    downloader_workers: int = Field(default=8, ge=1, le=256)
    downloader_per_host: int = Field(default=8, ge=1, le=256)
    downloader_per_download: int = Field(default=4, ge=1, le=32)
    downloader_queue: int = Field(default=10_000, ge=1, le=1_000_000)
    downloader_retry_total: float = Field(default=120.0, ge=0)

    @property
    def allowed_hosts(self) -> list[str]:
        return [host.strip() for host in self.lab_allowed_hosts.split(",") if host.strip()]

    @property
    def public_url(self) -> str:
        """Where others fetch finished files from."""
        return self.downloader_public_url or f"http://127.0.0.1:{self.port}"

    @property
    def limits(self) -> Limits:
        return Limits(
            workers=self.downloader_workers,
            per_host=self.downloader_per_host,
            per_download=self.downloader_per_download,
            jobs=self.downloader_queue,
            retry_total=self.downloader_retry_total,
        )
