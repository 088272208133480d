// A room on node's ws: each message to one client after the other. Prints its port.
const { WebSocketServer } = require("ws");
const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false }, () => console.log(server.address().port));
server.on("connection", (socket) => {
  socket.on("message", (data) => {
    for (const one of server.clients) one.send(data, { binary: false });
  });
});
