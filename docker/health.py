"""Exits 0 when the service of this container answers /ready with 200; otherwise with 1.

Runs every few seconds in every container, so it imports next to nothing.
"""

import os
import socket
import sys

SECONDS = 4

try:
    with socket.create_connection(("127.0.0.1", int(os.environ["PORT"])), SECONDS) as connection:
        connection.sendall(b"GET /ready HTTP/1.0\r\nHost: localhost\r\n\r\n")
        sys.exit(b" 200 " not in connection.recv(32))
except OSError as error:
    sys.exit(f"no answer: {error}")
