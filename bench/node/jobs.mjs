// One contender of bench/jobs in Node:  node bench/node/jobs.mjs build|iterate|stream FILE [BASE_URL]
// See bench/jobs_client.lua.
import fs from "node:fs";
import https from "node:https";
import readline from "node:readline";

const [what, path, baseUrl] = process.argv.slice(2);
const REQUESTS = 50000, POOL = 500;

function requests() {
  const text = ("Summarise the following message of a customer in one sentence, keep \"names\" and numbers.\n" +
    "The parcel left Utrecht on the 14th; it should reach Zürich within two working days, and has not. ").repeat(4);
  return Array.from({ length: POOL }, (_, i) => ({
    custom_id: "", method: "POST", url: "/v1/chat/completions",
    body: {
      model: "gpt-4o-mini", temperature: 0.2, max_tokens: 256,
      messages: [{ role: "system", content: "You answer for the service desk." }, { role: "user", content: text + i }],
      metadata: { customer: "c" + i, run: "nightly" }, response_format: { type: "json_object" },
    },
  }));
}

let lines = 0, sum = 0;
function take(result) {
  lines += 1;
  const answer = result.response.body;
  if (result.custom_id !== "request-" + lines || answer.usage.completion_tokens !==
      answer.choices[0].message.content.length) throw new Error("a result that is not its request's");
  sum += answer.usage.completion_tokens;
}

async function iterate(input) {
  for await (const line of readline.createInterface({ input, crlfDelay: Infinity })) take(JSON.parse(line));
}

const ways = {
  async build(pool) {
    const file = fs.openSync(path, "w");
    let text = "";
    for (let i = 1; i <= REQUESTS; i++) {
      const request = pool[i % POOL];
      request.custom_id = "request-" + i;
      text += JSON.stringify(request) + "\n";
      if (text.length > 65536) { fs.writeSync(file, text); text = ""; }
    }
    fs.writeSync(file, text);
    fs.closeSync(file);
  },
  iterate: () => iterate(fs.createReadStream(path, { highWaterMark: 1 << 18 })),
  stream: () => new Promise((resolve, reject) => {
    https.get(baseUrl + "/files/file-bench/content", { headers: { authorization: "Bearer sk-bench" } },
      (response) => iterate(response).then(resolve, reject)).on("error", reject);
  }),
};

const pool = what === "build" ? requests() : null;
const start = process.cpuUsage();
await ways[what](pool);
const used = process.cpuUsage(start);
console.error(JSON.stringify({ loop: (used.user + used.system) / 1e6, lines, sum }));
