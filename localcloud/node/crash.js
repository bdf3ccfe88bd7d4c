// Loaded before Azurite (node --require): SIGUSR2 makes it die at once, as a storage service whose disks survive.
//
// Azurite writes what it has been told to disk every five seconds, so a plain SIGKILL takes back what was answered: no Azure does that. Here
// every connection is cut first, so that nothing is answered any more; what had come in is carried out to its end (a transaction is never
// half done), all is written to disk, and then the process kills itself.
"use strict";
const net = require("net");
const Loki = require("lokijs");

const CARRIED_OUT = 250; // milliseconds: what had come in needs a few

const databases = new Set();
const servers = new Set();
const sockets = new Set();

const configure = Loki.prototype.configureOptions;
Loki.prototype.configureOptions = function (...given) {
  databases.add(this);
  return configure.apply(this, given);
};

const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (...given) {
  servers.add(this);
  this.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  return listen.apply(this, given);
};

process.once("SIGUSR2", () => {
  process.on("uncaughtException", () => {}); // whoever still wants to answer
  servers.forEach((server) => server.close());
  sockets.forEach((socket) => socket.destroy());
  setTimeout(async () => {
    await Promise.all(Array.from(databases, (database) => new Promise((saved) => database.saveDatabase(saved))));
    process.kill(process.pid, "SIGKILL");
  }, CARRIED_OUT);
});
