"""nginx on a folder of shared memory: the same bytes for everybody."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from peers import find
from stack import free_port

CONFIGURATION = """
daemon off; master_process off; worker_processes 1; pid {folder}/pid; error_log {folder}/errors;
events {{ worker_connections 256; }}
http {{
  sendfile on; tcp_nopush on; access_log off; keepalive_requests 1000000;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  server {{ listen 127.0.0.1:{port}; root {root}; }}
}}
"""


@contextmanager
def serving(root: Path, folder: Path) -> Iterator[str]:
    """The address at which nginx serves `root`, with one worker; `folder` is for its own files."""
    nginx, port = find("nginx"), free_port()
    configuration = folder / "nginx.conf"
    configuration.write_text(CONFIGURATION.format(folder=folder, root=root, port=port))
    process = subprocess.Popen(
        [nginx.path, "-e", folder / "errors", "-c", configuration], env=nginx.environment
    )
    try:
        _until_it_listens(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def _until_it_listens(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        try:
            return socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if process.poll() is not None:
                raise SystemExit(f"nginx ended with {process.returncode}") from None
            time.sleep(0.02)
    raise SystemExit("nginx does not answer")
