"""A room on picows: each message to one client after the other. Prints its port."""

import asyncio

from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

HERE: set[WSTransport] = set()


class Talker(WSListener):
    def on_ws_connected(self, transport: WSTransport) -> None:
        HERE.add(transport)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.TEXT:
            payload = frame.get_payload_as_bytes()
            for one in HERE:
                one.send(WSMsgType.TEXT, payload)
        elif frame.msg_type == WSMsgType.CLOSE:
            transport.disconnect()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        HERE.discard(transport)


async def main() -> None:
    def listener(request: WSUpgradeRequest) -> WSListener:
        return Talker()

    server = await ws_create_server(listener, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
