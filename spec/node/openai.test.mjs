// OpenAI's official SDK, unchanged, against the sandbox: it takes its address and key from the environment.
import assert from 'node:assert/strict';
import { File } from 'node:buffer';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import OpenAI, { toFile } from 'openai';

globalThis.File ??= File; // Node 18 has it, but not as a global

const client = new OpenAI({ maxRetries: 0 });
const control = process.env.BATCHAPI_SANDBOX_URL + '/_control';
const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'batchapi-node-'));
after(() => fs.rmSync(directory, { recursive: true }));

const tell = async (name, wish) => {
  const answer = await fetch(control + name, { method: 'POST', body: JSON.stringify(wish) });
  assert.equal(answer.status, 200, await answer.clone().text());
  return answer.json();
};

const line = (id, body) => JSON.stringify({ custom_id: id, method: 'POST', url: '/v1/chat/completions', body }) + '\n';
const chat = (text, model = 'gpt-4o-mini') => ({ model, messages: [{ role: 'user', content: text }] });

async function upload(text, name = 'requests.jsonl') {
  const file = path.join(directory, name);
  fs.writeFileSync(file, text);
  return client.files.create({ file: fs.createReadStream(file), purpose: 'batch' });
}

const create = (file, more = {}) => client.batches.create({
  input_file_id: file.id, endpoint: '/v1/chat/completions', completion_window: '24h', ...more,
});

async function ended(id) {
  for (let i = 0; i < 200; i++) {
    const batch = await client.batches.retrieve(id);
    if (['completed', 'failed', 'expired', 'cancelled'].includes(batch.status)) return batch;
    await new Promise((done) => setTimeout(done, 25));
  }
  assert.fail('the batch did not end within five seconds');
}

async function lines(id) {
  const text = await (await client.files.content(id)).text();
  return text.split('\n').filter(Boolean).map((part) => JSON.parse(part));
}

describe('openai SDK: files', () => {
  it('uploads, shows, lists, reads and deletes a file', async () => {
    const text = line('a', chat('hello'));
    const file = await upload(text);
    assert.equal(file.object, 'file');
    assert.equal(file.bytes, Buffer.byteLength(text));
    assert.equal((await client.files.retrieve(file.id)).filename, 'requests.jsonl');
    assert.equal(await (await client.files.content(file.id)).text(), text);
    assert.ok((await client.files.list({ purpose: 'batch' })).data.some((item) => item.id === file.id));
    assert.equal((await client.files.delete(file.id)).deleted, true);
    await assert.rejects(client.files.retrieve(file.id), { status: 404 });
  });

  it('joins the parts of an upload', async () => {
    const pieces = [line('a', chat('first')), line('b', chat('second'))];
    const bytes = Buffer.byteLength(pieces.join(''));
    const made = await client.uploads.create({ bytes, filename: 'parts.jsonl', mime_type: 'application/jsonl', purpose: 'batch' });
    const ids = [];
    for (const piece of pieces) ids.push((await client.uploads.parts.create(made.id, { data: await toFile(Buffer.from(piece)) })).id);
    const done = await client.uploads.complete(made.id, { part_ids: ids });
    assert.equal(done.status, 'completed');
    assert.equal(await (await client.files.content(done.file.id)).text(), pieces.join(''));
  });
});

describe('openai SDK: batches', () => {
  it('runs a batch from upload to results', async () => {
    const count = 100;
    let text = '';
    for (let i = 0; i < count; i++) text += line('request-' + i, chat('number ' + i, i === 7 ? 'fail-429' : undefined));
    const made = await create(await upload(text), { metadata: { purpose: 'spec' } });
    assert.equal(made.status, 'validating');
    const batch = await ended(made.id);
    assert.equal(batch.status, 'completed');
    assert.deepEqual(batch.request_counts, { total: count, completed: count - 1, failed: 1 });
    assert.equal(batch.metadata.purpose, 'spec');
    const output = await lines(batch.output_file_id);
    assert.equal(output.length, count - 1);
    for (const result of output) {
      const number = result.custom_id.replace('request-', '');
      assert.equal(result.response.status_code, 200);
      assert.equal(result.response.body.choices[0].message.content, 'echo: number ' + number);
    }
    const [failed] = await lines(batch.error_file_id);
    assert.equal(failed.custom_id, 'request-7');
    assert.equal(failed.response.body.error.code, 'rate_limit_exceeded');
  });

  it('tells the lines that are wrong', async () => {
    const made = await create(await upload(line('a', chat('x')) + 'not JSON\n' + line('a', chat('y'))));
    const batch = await ended(made.id);
    assert.equal(batch.status, 'failed');
    assert.deepEqual(batch.errors.data.map((fault) => [fault.code, fault.line]),
      [['invalid_json_line', 2], ['duplicate_custom_id', 3]]);
  });

  it('cancels a batch and keeps what was finished', async () => {
    await tell('/clock', { freeze: true });
    try {
      let text = '';
      for (let i = 0; i < 10; i++) text += line('request-' + i, chat('x'));
      const made = await create(await upload(text));
      await tell('/clock', { advance: 0.25 }); // half of its lines are done
      assert.equal((await client.batches.cancel(made.id)).status, 'cancelling');
      await tell('/clock', { advance: 1 });
      const batch = await client.batches.retrieve(made.id);
      assert.equal(batch.status, 'cancelled');
      assert.equal((await lines(batch.output_file_id)).length, 5);
      await assert.rejects(client.batches.cancel(made.id), { status: 409 });
    } finally {
      await tell('/clock', { freeze: false });
    }
  });

  it('pages through the list by itself, newest first', async () => {
    await fetch(control + '/reset', { method: 'POST' });
    const file = await upload(line('a', chat('x')));
    const made = [];
    for (let i = 0; i < 7; i++) made.unshift((await create(file)).id);
    const seen = [];
    for await (const batch of client.batches.list({ limit: 3 })) seen.push(batch.id);
    assert.deepEqual(seen, made);
    const totals = await (await fetch(control + '/totals')).json();
    assert.equal(totals.requests['openai.list_batches'], 3);
  });
});

describe('openai SDK: failures', () => {
  before(() => fetch(control + '/reset', { method: 'POST' }));

  it('knows a wrong key', async () => {
    const stranger = new OpenAI({ apiKey: 'sk-wrong', maxRetries: 0 });
    await assert.rejects(stranger.batches.list(), (error) => error instanceof OpenAI.AuthenticationError
      && error.code === 'invalid_api_key');
  });

  it('knows a missing parameter, with its name', async () => {
    await assert.rejects(client.batches.create({ endpoint: '/v1/chat/completions', completion_window: '24h' }),
      { status: 400, code: 'missing_required_parameter', param: 'input_file_id' });
  });

  it('repeats what a fault broke', async () => {
    await tell('/faults', [{ match: { path: '/v1/batches', first: 2 }, fault: { type: 'status', status: 429, retry_after_ms: 5 } }]);
    const patient = new OpenAI({ maxRetries: 2 });
    assert.deepEqual((await patient.batches.list()).data, []);
    const log = await (await fetch(control + '/log?operation=openai.list_batches')).json();
    assert.deepEqual(log.entries.slice(-3).map((entry) => entry.status), [429, 429, 200]);
  });
});

describe('openai SDK: direct calls', () => {
  it('gets the answers the README states', async () => {
    const answer = await client.chat.completions.create(chat('hello'));
    assert.equal(answer.choices[0].message.content, 'echo: hello');
    const { data } = await client.embeddings.create({ model: 'text-embedding-3-small', input: ['a', 'b'], dimensions: 4 });
    const plain = await client.embeddings.create({
      model: 'text-embedding-3-small', input: 'a', dimensions: 4, encoding_format: 'float',
    });
    assert.equal(data.length, 2);
    data[0].embedding.forEach((value, i) => assert.ok(Math.abs(value - plain.data[0].embedding[i]) < 1e-6));
  });
});
