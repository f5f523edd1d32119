// Asana's official SDK, unchanged, against the sandbox.
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import Asana from 'asana';

const control = process.env.BATCHAPI_SANDBOX_URL + '/_control';
const client = new Asana.ApiClient();
client.basePath = process.env.ASANA_BASE_URL;
client.authentications.token.accessToken = process.env.ASANA_ACCESS_TOKEN;
const batch = new Asana.BatchAPIApi(client);

const run = async (actions, options) => (await batch.createBatchRequest({ data: { actions } }, options)).data;
const refused = (status, message) => (error) => error.status === status && message.test(error.response.body.errors[0].message);

describe('asana SDK', () => {
  beforeEach(() => fetch(control + '/reset', { method: 'POST' }));

  it('gets a result per action, in their order', async () => {
    const results = await run([
      { relative_path: '/tasks/12', method: 'get' },
      { relative_path: '/tasks', method: 'post', data: { name: 'New', projects: ['7'] } },
      { relative_path: '/tasks/nobody', method: 'get' },
      { relative_path: '/projects/7/tasks', method: 'get', options: { limit: 2, fields: ['name'] } },
      { relative_path: '/batch', method: 'post' },
    ]);
    assert.deepEqual(results.map((result) => result.status_code), [200, 201, 404, 200, 400]);
    assert.equal(results[0].body.data.name, 'Task 12');
    assert.match(results[1].headers.location, /\/tasks\/\d+$/);
    assert.equal(results[3].body.data.length, 2);
    assert.ok(results[3].body.next_page.offset);
  });

  it('goes on to the next page until there is none', async () => {
    const names = [];
    let offset;
    do {
      const [result] = await run([{ relative_path: '/tasks', method: 'get', options: { limit: 10, ...(offset && { offset }) } }]);
      names.push(...result.body.data.map((task) => task.gid));
      offset = result.body.next_page?.offset;
    } while (offset);
    assert.equal(new Set(names).size, 25);
  });

  it('filters the results by opt_fields', async () => {
    const [result] = await run([{ relative_path: '/users/me', method: 'get' }], { opt_fields: 'status_code' });
    assert.deepEqual(result, { status_code: 200 });
  });

  it('refuses no actions, and eleven', async () => {
    await assert.rejects(run([]), refused(400, /at least one/));
    await assert.rejects(run(Array(11).fill({ relative_path: '/tasks/1', method: 'get' })), refused(400, /at most 10/));
  });

  it('refuses a wrong token', async () => {
    const stranger = new Asana.ApiClient();
    stranger.basePath = process.env.ASANA_BASE_URL;
    stranger.authentications.token.accessToken = 'wrong';
    await assert.rejects(new Asana.BatchAPIApi(stranger).createBatchRequest({ data: { actions: [] } }), refused(401, /Not Authorized/));
  });

  it('lets no more than fifteen writes be in flight, and says how long to wait', async () => {
    await fetch(control + '/settings', { method: 'POST', body: JSON.stringify({ asana: { action_time: 0.3 } }) });
    const writes = Array.from({ length: 10 }, (_, i) => ({ relative_path: '/tasks', method: 'post', data: { name: 'n' + i } }));
    const [first, second] = await Promise.allSettled([run(writes), run(writes)]);
    assert.equal(first.status, 'fulfilled');
    assert.equal(second.status, 'rejected');
    assert.equal(second.reason.status, 429);
    assert.equal(second.reason.response.headers['retry-after'], '1');
    const totals = await (await fetch(control + '/totals')).json();
    assert.equal(totals.asana.created, 10);
  });
});
