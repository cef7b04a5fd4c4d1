// Orders of an example shop, in Node.js. The proxy sets both headers, or removes them: no client can write them.
const http = require("node:http");

http
  .createServer((request, response) => {
    const subject = decodeURIComponent(request.headers["client-subject"] ?? "");
    const fingerprint = request.headers["client-fingerprint"];
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ subject, fingerprint }));
  })
  .listen(8000, "127.0.0.1");
