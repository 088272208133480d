"""A room on aiohttp: each message to one client after the other. Prints its port."""

import asyncio

from aiohttp import WSMsgType, web

HERE: set[web.WebSocketResponse] = set()


async def handle(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(compress=False, autoping=True)
    await socket.prepare(request)
    HERE.add(socket)
    try:
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                for one in HERE:
                    await one.send_str(message.data)
    finally:
        HERE.discard(socket)
    return socket


async def main() -> None:
    app = web.Application()
    app.router.add_get("/", handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
