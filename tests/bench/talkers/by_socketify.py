"""A room on socketify (µWebSockets in C++): its publish. Prints its port."""

from socketify import App, AppListenOptions, CompressOptions, OpCode

app = App()


def said(ws: object, message: object, opcode: OpCode) -> None:
    app.publish("room", message, opcode)


app.ws(
    "/",
    {
        "compression": CompressOptions.DISABLED,
        "idle_timeout": 0,
        "max_backpressure": 64 * 1024 * 1024,
        "open": lambda ws: ws.subscribe("room"),
        "message": said,
    },
)
app.listen(AppListenOptions(port=0, host="127.0.0.1"), lambda config: print(config.port, flush=True))
app.run()
