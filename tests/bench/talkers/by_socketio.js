// A room on socket.io: an emit to all. Prints its port.
const { Server } = require("socket.io");
const http = require("http").createServer();
const io = new Server(http, { transports: ["websocket"], perMessageDeflate: false, pingInterval: 300000 });
io.on("connection", (socket) => socket.on("m", (text) => io.emit("m", text)));
http.listen(0, "127.0.0.1", () => console.log(http.address().port));
