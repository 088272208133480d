"""The real ports: HTTP, robots.txt, HTML, Redis."""
