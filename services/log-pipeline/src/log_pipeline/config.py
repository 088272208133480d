"""Settings of the log pipeline, from the environment."""

import math
from pathlib import Path

from pydantic import Field

from lab_kit.settings import ServiceSettings
from log_pipeline.contract import Limits, Policy, Priority
from log_pipeline.core.scaling import Scaling


class Settings(ServiceSettings):
    """Frozen; see `ServiceSettings`. `log_pipeline_follow` are patterns of files, separated by commas."""

    port: int = Field(default=8002, ge=0, le=65535)
    log_pipeline_syslog_port: int | None = Field(default=None, ge=0, le=65535)
    log_pipeline_follow: str = ""
    log_pipeline_alerts: Path | None = None
    log_pipeline_consumers: int = Field(default=1, ge=1, le=64)
    log_pipeline_max_consumers: int = Field(default=4, ge=1, le=64)
    log_pipeline_scale_age: float = Field(default=1.0, gt=0)
    log_pipeline_queue_records: int = Field(default=200_000, ge=1)
    log_pipeline_queue_bytes: int = Field(default=64 * 1024 * 1024, ge=4 * 1024 * 1024)
    log_pipeline_aging: float = Field(default=5.0, gt=0)
    log_pipeline_batch_bytes: int = Field(default=1024 * 1024, ge=1)
    log_pipeline_linger: float = Field(default=0.02, ge=0)
    log_pipeline_rate: float = Field(default=0.0, ge=0, description="records a second of one source; 0: any")
    log_pipeline_burst: int = Field(default=10_000, ge=1)
    log_pipeline_beyond: Policy = Policy.SAMPLE
    log_pipeline_beyond_errors: Policy = Policy.WAIT
    log_pipeline_patience: float = Field(default=5.0, ge=0)
    log_pipeline_attempts: int = Field(default=3, ge=1)
    log_pipeline_rotate_bytes: int = Field(default=64 * 1024 * 1024, ge=1024)
    log_pipeline_keep: int = Field(default=10, ge=1)
    log_pipeline_fsync: bool = True
    log_pipeline_prefetch: int = Field(default=64, ge=1, le=1000)

    @property
    def syslog_port(self) -> int:
        """10 above that of HTTP, unless it is said."""
        beside = self.port + 10 if self.port else 0
        return beside if self.log_pipeline_syslog_port is None else self.log_pipeline_syslog_port

    @property
    def follow(self) -> list[str]:
        return [pattern.strip() for pattern in self.log_pipeline_follow.split(",") if pattern.strip()]

    @property
    def scaling(self) -> Scaling:
        """Hires at `log_pipeline_scale_age` seconds, lets go below a tenth of it."""
        age = self.log_pipeline_scale_age
        return Scaling(self.limits.max_consumers, low=age / 10, high=age)

    @property
    def limits(self) -> Limits:
        return Limits(
            records=self.log_pipeline_queue_records,
            bytes=self.log_pipeline_queue_bytes,
            consumers=self.log_pipeline_consumers,
            max_consumers=max(self.log_pipeline_consumers, self.log_pipeline_max_consumers),
            aging=self.log_pipeline_aging,
            batch_bytes=self.log_pipeline_batch_bytes,
            linger=self.log_pipeline_linger,
            rate=self.log_pipeline_rate or math.inf,
            burst=self.log_pipeline_burst,
            policies={
                Priority.CRITICAL: Policy.WAIT,
                Priority.ERROR: self.log_pipeline_beyond_errors,
                Priority.REST: self.log_pipeline_beyond,
            },
            attempts=self.log_pipeline_attempts,
        )
