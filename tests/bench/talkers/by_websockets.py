"""A room on `websockets`: its asyncio server and its `broadcast`. Prints its port."""

import asyncio

from websockets.asyncio.server import ServerConnection, broadcast, serve

HERE: set[ServerConnection] = set()


async def handle(connection: ServerConnection) -> None:
    HERE.add(connection)
    try:
        async for message in connection:
            broadcast(HERE, message)
    finally:
        HERE.discard(connection)


async def main() -> None:
    async with serve(handle, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()


asyncio.run(main())
