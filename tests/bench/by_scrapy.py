"""Scrapy as a program, robots.txt obeyed, no delay between requests. Runs in the peers' environment."""

import sys
import time
from collections.abc import Iterator
from typing import Any

import scrapy
from crawl_pages import LINK, said
from scrapy.crawler import CrawlerProcess

SETTINGS: dict[str, Any] = {
    "CONCURRENT_REQUESTS": int(sys.argv[2]),
    "CONCURRENT_REQUESTS_PER_DOMAIN": int(sys.argv[2]),
    "DOWNLOAD_DELAY": 0,
    "ROBOTSTXT_OBEY": True,
    "COOKIES_ENABLED": False,
    "TELNETCONSOLE_ENABLED": False,
    "LOG_ENABLED": False,
}


class Spider(scrapy.Spider):
    name = "bench"
    start_urls = (sys.argv[1],)
    urls: set[str] = set()  # noqa: RUF012  # there is one spider

    def parse(self, response: Any) -> Iterator[Any]:
        self.urls.add(response.url)
        for path in LINK.findall(response.body):
            yield response.follow(path.decode(), self.parse)


if __name__ == "__main__":
    process = CrawlerProcess(SETTINGS)
    process.crawl(Spider)
    began = time.perf_counter()
    process.start()
    print(said(Spider.urls, time.perf_counter() - began))
