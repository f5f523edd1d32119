// The official SDK: node sdk.mjs BASE_URL COUNT IN_FLIGHT
import OpenAI from "openai";

const [baseURL, count, inFlight] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const client = new OpenAI({ baseURL, apiKey: "sk-bench-0000000000000000000000000000" });
let next = 0;

async function worker() {
  while (next < count) {
    next += 1;
    const answer = await client.chat.completions.create({
      model: "gpt-4o-mini",
      messages: [
        { role: "system", content: "Sort the customer's message into exactly one of: delivery, defect, billing, question." },
        { role: "user", content: "Hello, the parcel with my touring bicycle has not arrived in Zürich, it left three weeks ago." },
      ],
      max_tokens: 60,
      temperature: 0.2,
      user: "u-4711",
    });
    if (answer.usage.total_tokens !== 124) throw new Error("a wrong answer");
  }
}

await Promise.all(Array.from({ length: inFlight }, worker));
