"""Ask the running lab's Prometheus one question; fail unless the answer is a positive number.

A scrape comes every two seconds, so the first answers may still be empty: it asks for at most thirty.
"""

import json
import os
import sys
import time
import urllib.parse
import urllib.request

BASE = int(os.environ.get("LAB_PORT_BASE", "8000"))


def ask(query: str) -> float:
    """The value of an instant query; 0 when there is none yet."""
    url = f"http://127.0.0.1:{BASE + 40}/api/v1/query?query={urllib.parse.quote(query)}"
    with urllib.request.urlopen(url, timeout=5) as answer:
        found = json.load(answer)["data"]["result"]
    return float(found[0]["value"][1]) if found else 0.0


def main(query: str) -> int:
    deadline = time.monotonic() + 30
    while (value := ask(query)) <= 0 and time.monotonic() < deadline:
        time.sleep(1)
    print(f"{query} = {value:.0f}")
    return 0 if value > 0 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
