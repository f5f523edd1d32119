// undici's pool: node undici.mjs BASE_URL COUNT IN_FLIGHT [CA_FILE]
import { readFileSync } from "node:fs";
import { Pool } from "undici";

const [base, count, inFlight, ca] = [new URL(process.argv[2]), Number(process.argv[3]), Number(process.argv[4]), process.argv[5]];
const pool = new Pool(base.origin, { connections: inFlight, connect: ca ? { ca: readFileSync(ca) } : {} });
const headers = { "content-type": "application/json", authorization: "Bearer sk-bench-0000000000000000000000000000" };
let next = 0;

async function worker() {
  while (next < count) {
    next += 1;
    const { statusCode, body } = await pool.request({
      method: "POST",
      path: base.pathname + "/chat/completions",
      headers,
      body: JSON.stringify({
        model: "gpt-4o-mini",
        messages: [
          { role: "system", content: "Sort the customer's message into exactly one of: delivery, defect, billing, question." },
          { role: "user", content: "Hello, the parcel with my touring bicycle has not arrived in Zürich, it left three weeks ago." },
        ],
        max_tokens: 60,
        temperature: 0.2,
        user: "u-4711",
      }),
    });
    const answer = await body.json();
    if (statusCode !== 200 || answer.usage.total_tokens !== 124) throw new Error("a wrong answer");
  }
}

await Promise.all(Array.from({ length: inFlight }, worker));
await pool.close();
