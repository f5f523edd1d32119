// The documentation's site in a real browser: it is built, served, searched and read. Nothing comes from elsewhere.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { after, before, it } from 'node:test';
import { chromium } from 'playwright-core';

const types = { '.html': 'text/html', '.css': 'text/css', '.js': 'text/javascript', '.json': 'application/json',
  '.svg': 'image/svg+xml', '.png': 'image/png' };
const site = fs.mkdtempSync(path.join(os.tmpdir(), 'batchapi-site-'));
let server, browser, page;
const foreign = [];
const faults = [];

before(async () => {
  execFileSync(new URL('../../tools/make-site', import.meta.url).pathname, [site], { stdio: 'inherit' });
  server = http.createServer((request, response) => {
    const name = path.join(site, path.normalize(decodeURIComponent(new URL(request.url, 'http://site').pathname)));
    const file = fs.existsSync(name) && fs.statSync(name).isFile() ? name : null;
    response.writeHead(file ? 200 : 404, { 'Content-Type': types[path.extname(name)] ?? 'application/octet-stream' });
    response.end(file ? fs.readFileSync(file) : 'no such file');
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
  page = await browser.newPage();
  page.on('request', (request) => {
    const host = new URL(request.url()).hostname;
    if (!['127.0.0.1', ''].includes(host)) foreign.push(request.url());
  });
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('response', (response) => {
    if (response.status() >= 400) faults.push(`${response.status()} ${response.url()}`);
  });
});

after(async () => {
  await browser?.close();
  server?.close();
  fs.rmSync(site, { recursive: true });
});

const open = (name, until = 'load') => page.goto(`http://127.0.0.1:${server.address().port}/${name}`, { waitUntil: until });

it('shows the picture of a job at work', async () => {
  await open('index.html');
  const picture = page.locator('img[src$="progress.svg"]');
  await picture.scrollIntoViewIfNeeded();
  assert.ok(await picture.evaluate((image) => image.complete && image.naturalWidth > 300));
});

it('finds a page by a word of it, and leads there', async () => {
  await open('index.html');
  await page.locator('input.md-search__input').fill('unknown_outcome');
  const found = page.locator('a.md-search-result__link[href*="errors.html"]').first();
  await found.waitFor({ timeout: 15000 });
  await found.click();
  await page.waitForURL(/errors\.html/);
  assert.match(await page.locator('article').innerText(), /unknown_outcome/);
});

it('gives every page its menu, and asks nobody else for anything', async () => {
  for (const name of fs.readdirSync(site).filter((file) => file.endsWith('.html') && file !== '404.html')) {
    await open(name, 'domcontentloaded');
    assert.ok((await page.locator('article h1').first().innerText()).length > 2, name);
    assert.ok((await page.locator('nav.md-nav a').count()) > 10, name);
  }
  assert.deepEqual(foreign, []);
  assert.deepEqual(faults, []);
});
