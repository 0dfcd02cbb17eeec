// Ironlatch in a real browser: the built binary in development mode, its pages in Chromium.
//
// `cargo xtask test` runs this. By hand: `npm ci`, then
// IRONLATCH_BINARY=../target/debug/ironlatch IRONLATCH_CHROMIUM=/usr/bin/chromium node run.mjs
// or, with a part of their names after it, some of the checks.

import assert from 'node:assert/strict';
import { mkdirSync, rmSync } from 'node:fs';
import { chromium } from 'playwright-core';
import * as pages from './pages.mjs';
import { startServer, startServerWithProviders } from './server.mjs';
import * as social from './social.mjs';
import { RESULTS, World } from './world.mjs';

const CHROMIUM = process.env.IRONLATCH_CHROMIUM ?? '/usr/bin/chromium';

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** What holds of every page, whatever was done on it. */
const AFTERWARDS = {
  async 'no page asked anybody else for anything'(world) {
    assert.deepEqual(world.strangers, []);
  },

  async 'no page complained in the console'(world) {
    assert.deepEqual(world.complaints, []);
  },
};

const wanted = process.argv[2] ?? '';
let passed = 0;
let failed = 0;

/** Runs checks without scripts and with them, each time against a server of their own. */
async function run(browser, { CHECKS, PAUSE }, start) {
  for (const mode of ['no-scripts', 'scripts']) {
    const before = failed;
    const server = await start();
    const world = new World(browser, server, mode, PAUSE);
    for (const [name, check] of Object.entries({ ...CHECKS, ...AFTERWARDS })) {
      if (!name.includes(wanted) && !(name in AFTERWARDS)) continue;
      try {
        await check(world);
        passed += 1;
        console.log(`ok   ${mode}: ${name}`);
      } catch (error) {
        failed += 1;
        console.log(`FAIL ${mode}: ${name}\n${error.stack}`);
      }
      await world.part();
    }
    server.stop();
    if (failed > before) {
      console.log(`the server's last words:\n${server.log.join('').slice(-4_000)}`);
    }
  }
}

rmSync(RESULTS, { recursive: true, force: true });
mkdirSync(RESULTS, { recursive: true });
const browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
try {
  await run(browser, pages, startServer);
  await run(browser, social, () => startServerWithProviders(social.CONFIG));
} finally {
  await browser.close();
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
