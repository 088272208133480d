"""The real ports of A2: WebSocket connections, the rooms' logs in Redis, files."""
