// Loaded before Azurite (node --require): standard input is a pipe that the parent holds, so it ends when the parent does, however it dies.
process.stdin.on("end", () => process.kill(process.pid, "SIGTERM"));
process.stdin.resume();
process.stdin.unref();
