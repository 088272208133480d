"""A1 as a learner might solve it who began with the naive engine, and shares no idea with the reference: each host
is an actor with a list, a request is a task of its crawl, and what has to be tried again goes back with a date."""

import asyncio
from collections import defaultdict
from contextlib import suppress
from dataclasses import replace

from scraper import contract as a1
from scraper import naive
from scraper.contract import Answer, FetchError, FrontierUnavailable, Link, Page, State
from scraper.core.breaker import Breaker
from scraper.core.bucket import Bucket
from scraper.core.headers import retry_after
from scraper.core.retry import RetryBudget, backoff
from scraper.core.robots import Meaning, lifetime, meaning
from scraper.core.urls import host_of, join, normalise, origin_of


class Job:
    def __init__(self, crawl):
        self.crawl, self.id = crawl, crawl.id
        self.held, self.tasks, self.news = set(), set(), asyncio.Event()
        self.closing, self.ending = False, None


class Item:
    def __init__(self, job, link):
        self.job, self.link, self.due, self.tries = job, link, 0.0, 0


class Host:
    def __init__(self, limits, now):
        self.bucket = Bucket(limits.rate, limits.burst, now)
        opens = limits.breaker_rate, limits.breaker_calls
        self.breaker = Breaker(*opens, limits.breaker_window, limits.breaker_seconds)
        self.budget, self.robots = RetryBudget(limits.retry_budget), {}
        self.items, self.actor, self.news = [], None, asyncio.Event()
        self.out, self.not_before = {}, 0.0

    def wait(self, now):
        return max(self.bucket.wait(now), self.breaker.wait(now), self.not_before - now)


class Crawler(naive.Crawler):
    def __init__(self, ports, limits=None):
        super().__init__(ports, limits)
        self.now, self.jobs = ports.clock.monotonic, {}
        self.hosts = defaultdict(lambda: Host(self.limits, self.now()))

    async def resume(self, crawl_id):
        await super().resume(crawl_id)
        for one in (self.jobs[crawl_id], *self.hosts.values()):
            one.news.set()

    async def cancel(self, crawl_id):
        self.change(crawl_id, State.RUNNING, State.PAUSED, to=State.CANCELLED)
        await self.end(self.jobs[crawl_id], 0.0)

    async def stop(self, deadline):
        self.closed = True
        active = [job for job in self.jobs.values() if not self.crawls[job.id].state.final]
        ending = [job for job in self.jobs.values() if job.ending or job in active]
        await asyncio.gather(*(self.end(job, deadline) for job in ending))
        left = [self.crawls[job.id] for job in active]
        return [replace(one.crawl, paused=one.state is State.PAUSED) for one in left if not one.state.final]

    def domains(self):
        now, hosts = self.now(), self.hosts.items()
        seen = {name: (one.bucket.level(now), one.breaker.state(now), len(one.out)) for name, one in hosts}
        return {name: a1.DomainStatus(*facts) for name, facts in seen.items()}

    def begin(self, crawl):
        job = self.jobs[crawl.id] = Job(crawl)
        self.crawls[crawl.id] = a1.Status(crawl, State.PAUSED if crawl.paused else State.RUNNING)
        job.pump = self.ports.spawn(self.fill(job), "crawl")

    def note(self, job, **news):
        self.crawls[job.id] = replace(self.crawls[job.id], **news)

    def runs(self, job):
        return self.crawls[job.id].state is State.RUNNING and not job.closing

    async def fill(self, job):
        frontier = self.ports.frontier
        seeds = [Link(url) for url in map(normalise, job.crawl.seeds) if url]
        await self.surely(job, lambda: frontier.open(job.crawl, seeds))
        while not job.closing:
            job.news.clear()
            room = self.limits.window - len(job.held)
            if not self.runs(job) or room <= 0:
                await job.news.wait()
                continue
            full = {name for name, host in self.hosts.items() if len(host.items) >= self.limits.ahead}
            asked = job.id, room, full
            taken = await self.surely(job, lambda asked=asked: frontier.take(*asked))
            for link in taken.links if taken else ():
                job.held.add(link)
                self.hand(Item(job, link))
            self.note(job, unfinished=taken.unfinished if taken else len(job.held))
            if taken and not job.held and not taken.unfinished and self.runs(job):
                self.note(job, state=State.DONE)
                self.end(job, 0.0)  # which waits for this
            elif not taken or not taken.links:
                await self.sleep(job.news, 1.0)

    def end(self, job, deadline):
        job.ending = job.ending or self.ports.spawn(self.wind_up(job, deadline), "crawl")
        job.closing = True
        return asyncio.shield(job.ending)

    async def wind_up(self, job, deadline):
        job.news.set()
        await job.pump
        if job.tasks and deadline:
            await asyncio.wait(job.tasks, timeout=deadline)
        ends = list(job.tasks)
        for host in self.hosts.values():
            host.items = [item for item in host.items if item.job is not job]
            ends += [host.actor] if host.actor and not host.items else []
        for task in ends:
            task.cancel()
        await asyncio.gather(*ends, return_exceptions=True)
        with suppress(FrontierUnavailable):
            await self.ports.frontier.give_back(job.id, list(job.held))
        job.held.clear()
        if self.crawls[job.id].state.final:
            await self.surely(job, lambda: self.ports.frontier.close(job.id))
            self.note(job, unfinished=0)
            self.ports.finished(self.crawls[job.id])

    async def surely(self, job, call):
        while True:
            with suppress(FrontierUnavailable):
                return await call()
            if job.closing:
                return None
            await self.ports.clock.sleep(0.5)

    def host(self, url):
        return self.hosts[host_of(origin_of(url))]

    def hand(self, item):
        host = self.host(item.link.url)
        host.items.append(item)
        host.news.set()
        if host.actor is None:
            host.actor = self.ports.spawn(self.act(host), "host")
            host.actor.add_done_callback(lambda task: self.rested(host))

    def rested(self, host):
        host.actor = None
        if host.items:
            self.hand(host.items.pop())

    async def act(self, host):
        while host.items:
            host.news.clear()
            ready = [item for item in host.items if self.runs(item.job)]
            item = min(ready, key=lambda one: one.due, default=None)
            if item is None or item.due > self.now():
                await self.sleep(host.news, item and item.due - self.now())
            elif self.is_down(host):
                await self.keep(item, Page(item.link, error="down"))
            else:
                await self.serve(host, item)

    def is_down(self, host):
        return host.breaker.trips > self.limits.breaker_trips and host.breaker.wait(self.now()) > 0

    async def serve(self, host, item):
        origin = origin_of(item.link.url)
        rules = await self.rules(host, origin)
        if rules is None:
            item.due, item.tries = host.robots[origin][0], item.tries + 1
            if item.tries > self.limits.retries:
                await self.keep(item, Page(item.link, error="robots-unavailable"))
        elif not rules.allows(item.link.url):
            await self.keep(item, Page(item.link, error="robots"))
        else:
            if item.job.crawl.crawl_delay and rules.delay and rules.delay * host.bucket.rate > 1:
                host.bucket = Bucket(1 / rules.delay, 1, self.now(), 0.0)
            permit = await self.admission(host, lambda: self.runs(item.job) and item in host.items)
            if permit:
                host.items.remove(item)
                task = self.ports.spawn(self.fetch(host, item, permit), "page")
                item.job.tasks.add(task)
                task.add_done_callback(lambda task: self.landed(host, permit, None, item.job, task))

    async def admission(self, host, wanted):
        while wanted() and not self.is_down(host):
            host.news.clear()
            if len(host.out) >= self.limits.per_domain or host.wait(self.now()):
                await self.sleep(host.news, host.wait(self.now()) or None)
                continue
            await self.workers.acquire()
            if wanted() and not host.wait(self.now()):
                host.bucket.take(self.now())
                permit = host.breaker.permit(self.now())
                host.out[id(permit)] = permit
                self.requests, self.running = self.requests + 1, self.running + 1
                return permit
            self.workers.release()
        return None

    async def fetch(self, host, item, permit):
        item.tries += 1
        if item.tries == 1:
            host.budget.requested()
        try:
            answer = await self.ask(host, item.link.url, permit)
        except FetchError as error:
            reason, again, status = error.reason, error.retryable, 0
        else:
            status, again, reason = answer.status, True, "429" if answer.status == 429 else "5xx"
            if status != 429 and status < 500:
                return await self.keep(item, await self.read(item, answer))
        if again and item.tries <= self.limits.retries and host.budget.take():
            self.retries += 1
            times = self.limits.retry_base, self.limits.retry_cap
            item.due = self.now() + backoff(item.tries, *times, self.ports.random)
            return self.hand(item)
        await self.keep(item, Page(item.link, status, reason))

    async def ask(self, host, url, permit):
        well = None
        try:
            answer = await self.ports.fetcher.get(url)
            well = answer.status < 500
            if answer.status == 429 or not well:
                pause = min(retry_after(answer.headers, self.ports.clock.time()) or 0.0, 3600.0)
                host.not_before = max(host.not_before, self.now() + pause)
            return answer
        except FetchError:
            well = False
            raise
        finally:
            self.landed(host, permit, well)

    def landed(self, host, permit, well, job=None, task=None):
        """A request has ended, or its task has: that may have been cancelled before it began."""
        if host.out.pop(id(permit), None):
            self.workers.release()
            self.running -= 1
            host.breaker.lost(permit) if well is None else host.breaker.ended(permit, well, self.now())
            host.news.set()
        if job:
            job.tasks.discard(task)

    async def rules(self, host, origin):
        until, rules = host.robots.get(origin, (-1.0, None))
        if self.now() >= until:
            answer = await self.found(f"{origin}/robots.txt")
            found = meaning(answer.status if answer else None)
            body = answer.body if found is Meaning.RULES else b""
            parsed = self.ports.offload(self.ports.parse_robots, body)
            rules = await parsed if found is not Meaning.NOTHING else parsed.close()
            host.robots[origin] = (self.now() + lifetime(found, answer.headers if answer else {}), rules)
        return rules

    async def found(self, url, hops=5):
        host = self.host(url)
        permit = await self.admission(host, lambda: True)
        try:
            answer = permit and await self.ask(host, url, permit)
        except FetchError:
            return None
        if not answer or answer.status not in naive.REDIRECTS:
            return answer
        url = join(url, answer.headers.get("location", ""))
        if not hops or not url or not self.ports.allowed(url):
            return None if hops else Answer(404, {})
        return await self.found(url, hops - 1)

    async def read(self, item, answer):
        link, (status, headers, body) = item.link, answer
        if status in naive.REDIRECTS:
            target = join(link.url, headers.get("location", ""))
            good = target and self.ports.allowed(target) and link.hops < self.limits.redirects
            return Page(link, status, follow=(Link(target, link.depth, link.hops + 1),) if good else ())
        work = self.page, item.job.crawl, link, link.url, status, headers, body
        return await self.ports.offload(*work) if len(body) > 10_000 else work[0](*work[1:])

    async def keep(self, item, page):
        job = item.job
        kept = await self.surely(job, lambda: self.ports.frontier.finish(job.id, page))
        if kept is not None:
            with suppress(ValueError):  # one that was not even asked for
                self.host(item.link.url).items.remove(item)
            job.held.discard(item.link)
            job.news.set()
        if kept:
            self.errors.update([page.error] if page.error else [])
            now, name = self.crawls[job.id], "failed" if page.error else "fetched"
            self.note(job, **{name: getattr(now, name) + 1})

    async def sleep(self, event, seconds):
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()
