"""Settings of the origin, read from the environment and nowhere else."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Where to listen and what the web looks like. Everything served follows from these numbers."""

    model_config = SettingsConfigDict(frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(default=8020, ge=0, le=65535)
    origin_seed: int = 1
    origin_pages: int = Field(default=500, ge=1, le=1_000_000, description="pages of each domain")
    origin_domains: int = Field(default=20, ge=1, le=10_000, description="domains that pages link to")
