// The official SDK's file transfers: node transfer.mjs BASE_URL upload|download FILE
import { createReadStream, createWriteStream } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import OpenAI from "openai";

const [, , baseURL, what, path] = process.argv;
const client = new OpenAI({ baseURL, apiKey: "sk-bench-0000000000000000000000000000" });

if (what === "upload") {
  const file = await client.files.create({ file: createReadStream(path), purpose: "batch" });
  if (file.id !== "file-bench") throw new Error("a wrong answer");
} else {
  const response = await client.files.content("file-bench");
  await pipeline(Readable.fromWeb(response.body), createWriteStream(path));
}
