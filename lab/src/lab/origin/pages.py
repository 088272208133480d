"""The pages of the synthetic web, a function of seed, domain and number. Pure."""

import hashlib
from dataclasses import dataclass
from html import escape
from random import Random

_TEXT = """
actor await barrier batch buffer cache channel clock condition context core counter cursor deadline
digest event fairness fiber frame future gate handle index job kernel latch lease lock loop mailbox
message monitor mutex node offset page permit pipe poll process queue reader record ring row
scheduler semaphore shard signal slice socket spin stack stage stream switch task thread ticket
token trace tree tuple turn wait wheel window worker writer yield
"""
_WORDS = _TEXT.split()
_SIZES = ("4KiB", "64KiB", "256KiB", "1MiB")
_FORBIDDEN = "/private/"


@dataclass(frozen=True)
class Site:
    """One domain with its pages 1 to `pages`, one among site-1 to site-`domains` (and any other name)."""

    seed: int
    domain: str
    pages: int
    domains: int

    def page(self, number: int, version: int = 0) -> str:
        """Return a page as HTML: about 20 links within, some to other domains, some to files.

        The pages that a page's number times two (and one more) names are among its links: all can be
        reached from page 1, in steps that grow with the logarithm of their count.
        """
        random = self._random(f"page {number} {version}")
        title = f"{' '.join(random.sample(_WORDS, 3)).capitalize()} ({self.domain}, page {number})"
        text = "".join(f"<p>{_sentences(random)}</p>\n" for _ in range(3))
        links = "".join(f'<li><a href="{escape(to)}">{escape(to)}</a></li>\n' for to in self._links(number))
        return _document(title, f"{text}<ul>\n{links}</ul>\n")

    def month(self, year: int, month: int) -> str:
        """Return a month of a calendar in which there is always another one: a trap for crawlers."""
        months = [divmod(12 * year + month - 1 + step, 12) for step in (-1, 1)]
        links = "".join(f'<a href="/calendar/{y}/{m + 1}">{y}-{m + 1:02}</a>\n' for y, m in months)
        return _document(f"{year}-{month:02} ({self.domain})", f"<p>Nothing happens.</p>\n{links}")

    def robots_tag(self, number: int) -> str | None:
        """Return the X-Robots-Tag of a page, if it has one. None that others are reached by says nofollow."""
        random = self._random(f"tag {number}")
        if number == 1 or random.random() > 0.1:
            return None
        return random.choice(("noindex", "nofollow", "none") if 2 * number > self.pages else ("noindex",))

    def robots(self) -> str | None:
        """Return the domain's robots.txt (RFC 9309); None for a domain that has none."""
        kinds = (_ALLOWING, _PRIVATE, _DELAYING, _WILDCARDS, _AGENTS, None)
        text = _ALLOWING if self.domain == "default" else self._random("robots").choice(kinds)
        return text and text.replace("HOST", self.domain)

    def sitemap(self, host: str) -> str:
        """Return sitemap.xml (sitemaps.org 0.9), with the addresses as seen by who asked `host`."""
        base = escape(f"http://{host}/page/")
        urls = "".join(f"<url><loc>{base}{number}</loc></url>\n" for number in range(1, self.pages + 1))
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{urls}</urlset>\n'
        )

    def _links(self, number: int) -> list[str]:
        random = self._random(f"links {number}")
        inside = [n for n in (2 * number, 2 * number + 1) if n <= self.pages]
        inside += [random.randint(1, self.pages) for _ in range(20 - len(inside))]
        outside = [
            f"http://site-{random.randint(1, self.domains)}.lab.test/" for _ in range(random.randint(0, 3))
        ]
        files = [
            f"/files/{random.choice(_SIZES)}/{random.choice(_WORDS)}" for _ in range(random.randint(0, 3))
        ]
        hidden = [f"/private/{random.choice(_WORDS)}"] if random.random() < 0.1 else []
        # Two traps: another name of a page each time that it is linked, and a site without an end.
        session = (
            [f"/page/{random.choice(inside)}?sid={random.getrandbits(64):x}"] if random.random() < 0.2 else []
        )
        dated = [f"/calendar/2026/{random.randint(1, 12)}"] if random.random() < 0.05 else []
        pages = [f"/page/{n}" for n in inside]
        return list(dict.fromkeys(pages + outside + files + hidden + session + dated))

    def _random(self, what: str) -> Random:
        identity = f"{self.seed}\n{self.domain}\n{what}".encode()
        return Random(int.from_bytes(hashlib.blake2b(identity, digest_size=8).digest()))


def _document(title: str, body: str) -> str:
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"</head>\n<body><h1>{escape(title)}</h1>\n{body}</body></html>\n"
    )


def _sentences(random: Random) -> str:
    return " ".join(f"{' '.join(random.choices(_WORDS, k=9)).capitalize()}." for _ in range(4))


_MAP = "\nSitemap: http://HOST/sitemap.xml\n"
_ALLOWING = f"User-agent: *\nDisallow:\n{_MAP}"
_PRIVATE = f"User-agent: *\nDisallow: {_FORBIDDEN}\n"
_DELAYING = f"User-agent: *\nCrawl-delay: 1\nDisallow: {_FORBIDDEN}\n{_MAP}"
_WILDCARDS = (
    f"User-agent: *\nDisallow: {_FORBIDDEN}\nDisallow: /page/*7$\nAllow: /page/*77$\n"
    f"Disallow: /files/*MiB/\n{_MAP}"
)
_AGENTS = (
    "# Everybody but one is welcome, here and there.\n"
    f"User-agent: greedybot\nDisallow: /\n\nUser-agent: *\nDisallow: {_FORBIDDEN}\nDisallow: /*?\n{_MAP}"
)

HOME = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>The synthetic web</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}</style></head>
<body><h1>The synthetic web</h1>
<p>This server plays the internet for the Concurrency Lab: any number of domains with linked pages, and files
of any size up to 1 TiB, made from a seed the moment they are asked for. And everything can go wrong.</p>
<h2>Files</h2>
<p><code>/files/&lt;size&gt;/&lt;name&gt;</code>, with ranges, validators and checksums:
<a href="/files/64KiB/hello">64 KiB</a>, <a href="/files/1500/hello">1500 bytes</a>, and
<a href="/sha256/64KiB/hello">the SHA-256 of the first</a>. <code>?version=2</code> is the same file after
two changes; <code>?etag=weak</code>, <code>?etag=none</code> and <code>?lastmod=none</code> take validators
away.</p>
<h2>Pages</h2>
<p><a href="/page/1">/page/1</a> and on; <a href="/robots.txt">/robots.txt</a>;
<a href="/sitemap.xml">/sitemap.xml</a>; some links carry a session id, some pages an X-Robots-Tag, and
<a href="/calendar/2026/1">the calendar</a> has no end. Another Host is another domain:
<code>curl -H 'Host: site-3.lab.test' …/page/1</code>.</p>
<h2>Faults</h2>
<p>For one request, in its query: <a href="/files/64KiB/hello?drop-after=0.5">half of a file</a>,
<a href="/files/1KiB/hello?slow-loris=0.01">byte by byte</a>,
<a href="/page/1?status=503&amp;retry-after=2">503, try again in 2 s</a>,
<a href="/page/1?redirect=3">three redirects</a>. For all requests:
<code>PUT /lab/faults</code> with <code>{"faults": {"drop-after": 0.2, "drop-rate": 0.1}, "seed": 7}</code>.
<a href="/lab/faults">/lab/faults</a> lists all of them and how often each fired.</p>
<p><a href="/metrics">/metrics</a> · <a href="/ready">/ready</a> · <a href="/health">/health</a></p>
</body></html>
"""
