// Node's contestants. Each line of standard input is a question in JSON; the answer is a line too.
"use strict";

const { X509Certificate } = require("node:crypto");
const { createInterface } = require("node:readline");
const clientCertificateAuth = require(process.argv[2]);

const cases = {};

// From the header to a verified certificate, with what Node's crypto has. No policy: neither purpose nor constraints.
function crypto({ bundle, values }, index) {
  let certificate = new X509Certificate(decodeURIComponent(values[index % values.length]));
  const now = Date.now();
  for (;;) {
    if (now < Date.parse(certificate.validFrom) || now > Date.parse(certificate.validTo)) throw new Error("not valid now");
    const issuer = bundle.find((ca) => certificate.checkIssued(ca));
    if (!issuer || !certificate.verify(issuer.publicKey)) throw new Error("no path");
    if (issuer.checkIssued(issuer)) return;  // a root of the bundle
    certificate = issuer;
  }
}

// It reads no header: TLS has to end in Node, which verifies. Measured is what is left for it to do.
const guard = clientCertificateAuth((certificate) => certificate.subject.CN.startsWith("cart-"));
function middleware({ request }) {
  guard(request, {}, (error) => { if (error) throw error; });
}

const contestants = { crypto, middleware };

createInterface({ input: process.stdin }).on("line", (line) => {
  const { do: what, name, count, values, bundle } = JSON.parse(line);
  let answer = process.version;
  if (what === "prepare") {
    const peer = new X509Certificate(decodeURIComponent(values[0])).toLegacyObject();
    const request = { secure: true, client: { authorized: true }, connection: { getPeerCertificate: () => peer } };
    cases[name] = { values, bundle: bundle.map((pem) => new X509Certificate(pem)), request };
  } else if (what !== "version") {
    const start = process.hrtime.bigint();
    for (let index = 0; index < count; index++) contestants[what](cases[name], index);
    answer = Number(process.hrtime.bigint() - start) / 1e9;
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
});
