// The built binary in development mode, for whoever acts against it.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { startProviders } from './providers/index.mjs';

const BINARY = process.env.IRONLATCH_BINARY ?? '../target/debug/ironlatch';

/** A port nobody listens on. */
async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1');
  await new Promise((done) => probe.once('listening', done));
  const { port } = probe.address();
  await new Promise((done) => probe.close(done));
  return port;
}

/** The server, ready to answer; with the configuration that `configure` makes for its base. */
export async function startServer(configure = () => '') {
  const port = await freePort();
  const base = `http://127.0.0.1:${port}`;
  const folder = mkdtempSync(join(tmpdir(), 'ironlatch-e2e-'));
  const config = join(folder, 'ironlatch.toml');
  writeFileSync(config, await configure(base));
  const server = spawn(BINARY, ['dev'], {
    env: { ...process.env, IRONLATCH_LISTEN: `127.0.0.1:${port}`, IRONLATCH_CONFIG: config },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  server.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const log = [];
  for (const pipe of [server.stdout, server.stderr]) pipe.on('data', (text) => log.push(text));
  for (let tries = 0; tries < 200; tries += 1) {
    assert.equal(server.exitCode, null, `the server ended:\n${log.join('')}`);
    const answer = await fetch(`${base}/readyz`).catch(() => null);
    // `moved`: by how many seconds its clock is ahead.
    if (answer?.ok) return { base, log, moved: 0, stop: () => server.kill('SIGTERM') };
    await pause(50);
  }
  server.kill();
  throw new Error(`the server is not ready after 10 s:\n${log.join('')}`);
}

/** The server and every provider; `more` is added to its configuration. */
export async function startServerWithProviders(more = '') {
  let started = null;
  try {
    const server = await startServer(async (base) => {
      started = await startProviders(base);
      return `${more}\n${started.config}`;
    });
    const stop = () => {
      server.stop();
      started.stop();
    };
    return { ...server, providers: started.providers, stop };
  } catch (error) {
    started?.stop();
    throw error;
  }
}

/** Moves the server's clock forward. */
export async function advance(base, seconds) {
  const body = JSON.stringify({ advance_seconds: seconds });
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(`${base}/dev/clock`, { method: 'POST', headers, body });
  assert.ok(answer.ok, `/dev/clock answered ${answer.status}`);
}

/** The messages to an address or number, the newest first, once there are so many. */
export async function messages(base, to, least) {
  for (let tries = 0; tries < 100; tries += 1) {
    const all = await (await fetch(`${base}/dev/inbox.json`)).json();
    const own = all.filter((message) => message.to === to);
    if (own.length >= least) return own;
    await pause(50);
  }
  throw new Error(`message number ${least} to ${to} did not come`);
}
