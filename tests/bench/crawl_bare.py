"""The least a crawler can do: aiohttp, uvloop, a set. No robots.txt, no limits, no retries, nothing kept."""

import asyncio
import sys
import time

import aiohttp
import uvloop
from crawl_pages import LINK, said
from yarl import URL


async def crawl(seed: str, workers: int) -> str:
    origin, seen, waiting = seed.rpartition("/")[0], {seed}, asyncio.Queue[str]()
    waiting.put_nowait(seed)
    began = time.perf_counter()
    connector = aiohttp.TCPConnector(limit=workers)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def work() -> None:
            while True:
                url = await waiting.get()
                async with session.get(URL(url, encoded=True)) as response:
                    body = await response.read()
                for path in LINK.findall(body):
                    link = origin + path.decode()
                    if link not in seen:
                        seen.add(link)
                        waiting.put_nowait(link)
                waiting.task_done()

        tasks = [asyncio.create_task(work()) for _ in range(workers)]
        await waiting.join()
        seconds = time.perf_counter() - began
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return said(seen, seconds)


if __name__ == "__main__":
    print(uvloop.run(crawl(sys.argv[1], int(sys.argv[2]))))
