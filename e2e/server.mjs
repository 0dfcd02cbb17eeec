// The built binary in development mode, for whoever acts against it.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

const BINARY = process.env.IRONLATCH_BINARY ?? '../target/debug/ironlatch';

/** A port nobody listens on. */
async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1');
  await new Promise((done) => probe.once('listening', done));
  const { port } = probe.address();
  await new Promise((done) => probe.close(done));
  return port;
}

/** The server, ready to answer. */
export async function startServer() {
  const port = await freePort();
  const base = `http://127.0.0.1:${port}`;
  const server = spawn(BINARY, ['dev'], {
    env: { ...process.env, IRONLATCH_LISTEN: `127.0.0.1:${port}` },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const log = [];
  for (const pipe of [server.stdout, server.stderr]) pipe.on('data', (text) => log.push(text));
  for (let tries = 0; tries < 200; tries += 1) {
    assert.equal(server.exitCode, null, `the server ended:\n${log.join('')}`);
    const answer = await fetch(`${base}/readyz`).catch(() => null);
    if (answer?.ok) return { base, server, log };
    await pause(50);
  }
  server.kill();
  throw new Error(`the server is not ready after 10 s:\n${log.join('')}`);
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
