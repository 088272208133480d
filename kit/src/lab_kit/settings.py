"""Settings every service reads from the environment, once, at start. The defaults are the local ones."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ServiceSettings(BaseSettings):
    """Frozen. A field is the environment variable of the same name; a bad value stops the start, by name."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    host: str = "127.0.0.1"
    port: int = Field(ge=0, le=65535)
    redis_url: str = "redis://127.0.0.1:8030/0"
    log_level: str = "info"
    lab_origin_url: str = "http://127.0.0.1:8020"
    lab_data: Path = Path(".lab")
    lab_workspace: Path = Path("workspace")
    lab_grace: float = Field(default=10.0, ge=0, description="seconds to drain before a stop gives up")
