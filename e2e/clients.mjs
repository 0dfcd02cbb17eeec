// The clients of other systems, acted out: each file of `clients/` does what its system's front
// end does, in the same order and reading answers the same way, against a server of its own.
//
// `cargo xtask test` runs this. By hand, one of them or all: `npm ci`, then
// IRONLATCH_BINARY=../target/debug/ironlatch node clients.mjs accounts
//
// A client exports `name` and `run(world)`; one that exports `needsProviders` is given them in
// `world.providers`. Besides, `world` has
//   base            where the server is, without a slash at the end
//   mail(to, about) the text of the newest message to an address or number (in which a pattern is
//                   found), waited for if there is none that was not there before
//   advance(n)      moves the server's clock n seconds forward
//   check(is, what) throws `what` unless `is` is true

import { readdirSync } from 'node:fs';
import { advance, messages, startServer, startServerWithProviders } from './server.mjs';

/** Throws unless something is so. */
function check(condition, what) {
  if (condition !== true) throw new Error(what);
}

/** The newest message that is about something, once there is one that was not there before. */
function mailReader(base) {
  const seen = new Set();
  return async (to, about = /(?:)/) => {
    for (let least = 1; ; ) {
      const own = await messages(base, to, least);
      const found = own.find(({ id, text }) => !seen.has(id) && about.test(text));
      if (found) {
        for (const { id } of own) seen.add(id);
        return found.text;
      }
      least = own.length + 1;
    }
  };
}

async function act(client) {
  const start = client.needsProviders ? startServerWithProviders : startServer;
  const { base, log, providers, stop } = await start();
  try {
    await client.run({
      base,
      providers,
      mail: mailReader(base),
      advance: (seconds) => advance(base, seconds),
      check,
    });
    console.log(`ok   client: ${client.name}`);
    return true;
  } catch (error) {
    console.log(`FAIL client: ${client.name}\n${error.stack}`);
    console.log(`the server's last words:\n${log.join('').slice(-4_000)}`);
    return false;
  } finally {
    stop();
  }
}

const wanted = process.argv.slice(2);
const files = readdirSync(new URL('clients/', import.meta.url)).filter((f) => f.endsWith('.mjs'));
let passed = 0;
let failed = 0;
for (const file of files.sort()) {
  const client = await import(new URL(`clients/${file}`, import.meta.url));
  if (wanted.length > 0 && !wanted.includes(client.name)) continue;
  if (await act(client)) passed += 1;
  else failed += 1;
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
