// An OpenID provider on a free loopback port for spec/oidc_provider_spec.lua: npm's oidc-provider,
// set up as FactSet's is (private_key_jwt, client_credentials), and one resource that takes its
// tokens. It prints one line of JSON when it listens and ends when its standard input does.
//
//   POST /_test  { clock?: seconds ahead, busy?: token requests to answer with 503,
//                  revoke?: true, secret?: text for the provider to quote in its refusals }
//                -> what has happened so far, and the last assertion looked at with Node's crypto
import { createPublicKey, generateKeyPairSync, verify, constants } from "node:crypto";
import { createServer } from "node:http";
import { Provider } from "oidc-provider";

const now = Date.now;
const seen = { token_requests: 0, busy: 0, discoveries: 0, resource: 0 };
let busy = 0, last = null, tokens = [];

function makeKey(alg) {
  const pair = alg === "ES256"
    ? generateKeyPairSync("ec", { namedCurve: "P-256" })
    : generateKeyPairSync("rsa", { modulusLength: 2048 });
  const extra = { use: "sig", alg, kid: `key-${alg}` };
  return {
    private: { ...pair.privateKey.export({ format: "jwk" }), ...extra },
    public: { ...pair.publicKey.export({ format: "jwk" }), ...extra },
  };
}

const keys = Object.fromEntries(["RS256", "PS256", "ES256"].map((alg) => [alg, makeKey(alg)]));

// Node's own opinion of an assertion, and what `openssl dgst` needs for another.
function lookAt(assertion) {
  const [header, payload, signature] = assertion.split(".");
  const decoded = JSON.parse(Buffer.from(header, "base64url"));
  const { public: jwk } = keys[decoded.alg];
  const key = createPublicKey({ key: jwk, format: "jwk" });
  const options = {
    RS256: { key },
    PS256: { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 },
    ES256: { key, dsaEncoding: "ieee-p1363" },
  }[decoded.alg];
  const input = Buffer.from(`${header}.${payload}`);
  const bytes = Buffer.from(signature, "base64url");
  return {
    assertion, header: decoded, claims: JSON.parse(Buffer.from(payload, "base64url")),
    verified: verify("sha256", input, options, bytes),
    pem: key.export({ type: "spki", format: "pem" }),
    signature_hex: bytes.toString("hex"),
  };
}

const server = createServer();
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const origin = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(origin, {
  clients: Object.entries(keys).map(([alg, key]) => ({
    client_id: `client-${alg}`,
    redirect_uris: [], response_types: [], grant_types: ["client_credentials"],
    token_endpoint_auth_method: "private_key_jwt", token_endpoint_auth_signing_alg: alg,
    jwks: { keys: [key.public] },
  })),
  clientAuthMethods: ["private_key_jwt"],
  enabledJWA: { clientAuthSigningAlgValues: ["RS256", "PS256", "ES256"] },
  features: { clientCredentials: { enabled: true }, devInteractions: { enabled: false } },
  scopes: ["batch"],
  ttl: { ClientCredentials: 900 },
  cookies: { keys: ["unused"] },
});
const refusals = [];
provider.on("grant.error", (_, error) => refusals.push(error.error_detail ?? error.message));
provider.on("client_credentials.saved", (token) => tokens.push(token));
provider.use(async (ctx, next) => {
  await next();
  if (ctx.oidc?.route === "token" && ctx.oidc.body?.client_assertion) {
    last = ctx.oidc.body.client_assertion;
  }
});

async function readBody(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts).toString();
}

function answer(response, status, body, headers = {}) {
  response.writeHead(status, { "Content-Type": "application/json", ...headers });
  response.end(typeof body === "string" ? body : JSON.stringify(body));
}

async function control(request, response) {
  const order = JSON.parse(await readBody(request) || "{}");
  if (order.clock !== undefined) Date.now = () => now() + order.clock * 1000;
  if (order.busy !== undefined) busy = order.busy;
  if (order.revoke) {
    await Promise.all(tokens.map((token) => token.destroy()));
    tokens = [];
  }
  answer(response, 200, { ...seen, refusals, tokens: tokens.length, last: last && lookAt(last) });
}

// The resource: FactSet's 401 has no JSON body.
async function resource(request, response) {
  seen.resource++;
  const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1];
  if (token && await provider.ClientCredentials.find(token)) {
    answer(response, 200, { data: { id: "1", status: "finished" } });
  } else {
    answer(response, 401, "<html>who are you?</html>",
      { "Content-Type": "text/html", "WWW-Authenticate": "FactSet-JWT" });
  }
}

// A discovery document whose issuer is of the right origin and still not this provider.
async function otherIssuer(response) {
  answer(response, 200, { issuer: `${origin}/other`, token_endpoint: `${origin}/token` });
}

const handle = provider.callback();
server.on("request", (request, response) => {
  const path = request.url.split("?")[0];
  if (path === "/_test") return control(request, response);
  if (path === "/other/.well-known/openid-configuration") return otherIssuer(response);
  if (path === "/.well-known/openid-configuration") seen.discoveries++;
  if (path === "/token") {
    seen.token_requests++;
    if (busy > 0) {
      busy--;
      seen.busy++;
      return answer(response, 503, "busy", { "Retry-After": "0" });
    }
  }
  if (path === "/token" || path.startsWith("/.well-known/")) return handle(request, response);
  return resource(request, response);
});

const config = (alg, more) => ({
  name: "spec", clientId: `client-${alg}`, clientAuthType: "Confidential", owners: ["SPEC-1"],
  wellKnownUri: `${origin}/.well-known/openid-configuration`, jwk: keys[alg].private, ...more,
});
console.log(JSON.stringify({
  origin,
  configs: {
    RS256: config("RS256"), PS256: config("PS256"), ES256: config("ES256"),
    // another key under the registered kid
    wrong_key: config("RS256", { jwk: { ...makeKey("RS256").private } }),
    wrong_audience: config("RS256", {
      wellKnownUri: `${origin}/other/.well-known/openid-configuration` }),
    unknown_client: config("RS256", { clientId: "nobody" }),
  },
}));
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
