"""Settings of the chat, from the environment."""

from pydantic import Field

from chat.contract import Limits
from chat.core.limits import Rate
from lab_kit.settings import ServiceSettings

BESIDE = 100  # the WebSocket port is so much above the HTTP port, inside a container as outside


class Settings(ServiceSettings):
    """Frozen; see `ServiceSettings`. Bytes and seconds. Rates are messages a second, edits, deletions and commands
    among them, with a burst of three seconds; a user has the same again for each other kind of request that
    changes something. `chat_queue` must hold a page of history and a message. `chat_vouch`: how long what a
    replica said of its users holds, if it says no more. `chat_public_url`: where clients find the WebSocket, if a
    proxy makes that another address than the page's host and the port above."""

    port: int = Field(default=8006, ge=0, le=65535)
    chat_ws_port: int | None = Field(default=None, ge=0, le=65535)
    chat_durable: bool = True
    chat_admin_token: str = ""
    chat_origins: str = ""
    chat_public_url: str = Field(default="", pattern=r"^(wss?://\S+)?$")
    chat_queue: int = Field(default=256 * 1024, ge=128 * 1024)
    chat_heartbeat: float = Field(default=20.0, gt=0)
    chat_patience: float = Field(default=10.0, gt=0)
    chat_linger: float = Field(default=3.0, ge=0)
    chat_vouch: float = Field(default=9.0, gt=0)
    chat_rate: float = Field(default=10.0, gt=0)
    chat_room_rate: float = Field(default=200.0, gt=0)
    chat_connections: int = Field(default=20_000, ge=1)
    chat_file_size: int = Field(default=16 * 1024 * 1024, ge=1)
    chat_file_quota: int = Field(default=128 * 1024 * 1024, ge=1)
    chat_file_seconds: float = Field(default=7 * 86_400.0, ge=1)
    chat_probe: bool = True

    @property
    def ws_port(self) -> int:
        """Where WebSockets are; 0 for one that the system chooses."""
        if self.chat_ws_port is not None:
            return self.chat_ws_port
        return self.port + BESIDE if self.port else 0

    @property
    def origins(self) -> list[str]:
        """Web pages that may connect, beside those of this very host."""
        return [origin.strip() for origin in self.chat_origins.split(",") if origin.strip()]

    @property
    def limits(self) -> Limits:
        return Limits(
            queue=self.chat_queue,
            part=50 if self.chat_durable else 250,  # without Redis nothing is under way meanwhile
            heartbeat=self.chat_heartbeat,
            patience=self.chat_patience,
            linger=self.chat_linger,
        )

    @property
    def user_rate(self) -> Rate:
        return Rate(self.chat_rate, max(1, round(3 * self.chat_rate)))

    @property
    def room_rate(self) -> Rate:
        return Rate(self.chat_room_rate, max(1, round(3 * self.chat_room_rate)))
