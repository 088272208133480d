"""Settings of the scraper, from the environment."""

from pydantic import Field

from lab_kit.settings import ServiceSettings
from scraper.contract import Limits


class Settings(ServiceSettings):
    """Frozen; see `ServiceSettings`. `lab_allowed_hosts` is a comma-separated list."""

    port: int = Field(default=8005, ge=0, le=65535)
    lab_allowed_hosts: str = "*.lab.test"
    scraper_workers: int = Field(default=32, ge=1, le=1024)
    scraper_per_host: int = Field(default=4, ge=1, le=256)
    scraper_rate: float = Field(default=5.0, gt=0, description="requests a second to each host")
    scraper_burst: int = Field(default=10, ge=1, le=10_000)
    scraper_crawls: int = Field(default=100, ge=1, le=10_000)
    scraper_breaker_seconds: float = Field(default=5.0, gt=0)

    @property
    def allowed_hosts(self) -> list[str]:
        return [host.strip() for host in self.lab_allowed_hosts.split(",") if host.strip()]

    @property
    def limits(self) -> Limits:
        return Limits(
            workers=self.scraper_workers,
            per_domain=self.scraper_per_host,
            rate=self.scraper_rate,
            burst=self.scraper_burst,
            window=max(64, 8 * self.scraper_workers),
            crawls=self.scraper_crawls,
            breaker_seconds=self.scraper_breaker_seconds,
        )
