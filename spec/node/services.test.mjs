// The official SDKs of Anthropic, Mistral and FactSet (its token client), unchanged, against the sandbox.
import Anthropic from '@anthropic-ai/sdk';
import { Mistral } from '@mistralai/mistralai';
import FactSet from '@factset/sdk-utils';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';

const control = process.env.BATCHAPI_SANDBOX_URL + '/_control';
const modern = Number(process.versions.node.split('.')[0]) >= 20;
const skip = !modern && 'this SDK needs Node 20';

// Asks until the answer is what is wanted, at most five seconds.
async function until(ask, wanted) {
  for (let i = 0; i < 200; i++) {
    const answer = await ask();
    if (wanted(answer)) return answer;
    await new Promise((done) => setTimeout(done, 25));
  }
  assert.fail('it did not end within five seconds');
}

describe('anthropic SDK', { skip }, () => {
  const params = (text) => ({ model: 'claude', max_tokens: 9, messages: [{ role: 'user', content: text }] });

  it('answers a message', async () => {
    const answer = await new Anthropic().messages.create(params('hello'));
    assert.equal(answer.content[0].text, 'echo: hello');
  });

  it('runs a batch, lists it and deletes it', async () => {
    const { batches } = new Anthropic().messages;
    const requests = ['a', 'b', 'c'].map((id) => ({ custom_id: id, params: params('text ' + id) }));
    const made = await batches.create({ requests });
    await until(() => batches.retrieve(made.id), (batch) => batch.processing_status === 'ended');
    const texts = {};
    for await (const line of await batches.results(made.id)) texts[line.custom_id] = line.result.message.content[0].text;
    assert.deepEqual(texts, { a: 'echo: text a', b: 'echo: text b', c: 'echo: text c' });
    const ids = [];
    for await (const batch of batches.list({ limit: 1 })) ids.push(batch.id);
    assert.ok(ids.includes(made.id));
    assert.equal((await batches.delete(made.id)).type, 'message_batch_deleted');
    await assert.rejects(batches.retrieve(made.id), Anthropic.NotFoundError);
  });
});

describe('mistral SDK', { skip }, () => {
  it('runs a job over a file', async () => {
    const client = new Mistral({ serverURL: process.env.MISTRAL_BASE_URL, apiKey: process.env.MISTRAL_API_KEY });
    const line = JSON.stringify({ custom_id: 'a', body: { messages: [{ role: 'user', content: 'hello' }] } }) + '\n';
    const file = await client.files.upload({ file: { fileName: 'a.jsonl', content: new Blob([line]) }, purpose: 'batch' });
    const made = await client.batch.jobs.create({ inputFiles: [file.id], endpoint: '/v1/chat/completions', model: 'small' });
    const job = await until(() => client.batch.jobs.get({ jobId: made.id }), ({ status }) => status === 'SUCCESS');
    assert.deepEqual([job.totalRequests, job.succeededRequests, job.failedRequests], [1, 1, 0]);
    const text = await new Response(await client.files.download({ fileId: job.outputFile })).text();
    assert.equal(JSON.parse(text).response.body.choices[0].message.content, 'echo: hello');
  });
});

describe("factset's token client", () => {
  const ask = (token) => fetch(process.env.FACTSET_BASE_URL + '/documents?directoryPath=Client',
    { headers: { authorization: 'Bearer ' + token } });

  it('gets a token with its signed assertion, keeps it, and the API takes it', async () => {
    const client = new FactSet.ConfidentialClient(process.env.BATCHAPI_SANDBOX_APP_CONFIG);
    const token = await client.getAccessToken();
    assert.equal(await client.getAccessToken(), token);
    assert.equal((await ask(token)).status, 200);
    await fetch(control + '/oauth/revoke', { method: 'POST' });
    const dead = await ask(token);
    assert.equal(dead.status, 401);
    assert.equal(dead.headers.get('www-authenticate'), 'FactSet-JWT');
  });

  it('is refused with a key that nobody registered', async () => {
    const config = JSON.parse(fs.readFileSync(process.env.BATCHAPI_SANDBOX_APP_CONFIG));
    config.jwk.kid = 'stranger';
    const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'batchapi-node-')), 'app-config.json');
    fs.writeFileSync(file, JSON.stringify(config));
    try {
      await assert.rejects(new FactSet.ConfidentialClient(file).getAccessToken(), FactSet.AccessTokenError);
    } finally {
      fs.rmSync(path.dirname(file), { recursive: true });
    }
  });
});
