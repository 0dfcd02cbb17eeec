// People with browsers, and what they share.

import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { advance, messages } from './server.mjs';

/** Where the pictures are. */
export const RESULTS = fileURLToPath(new URL('results/', import.meta.url));
export const PASSWORD = 'vierzehn Igel im Regen';

/** One person's browser: its pages, and calls that share its cookies. */
class Person {
  constructor(world, context) {
    Object.assign(this, { world, context });
    context.on('request', (request) => {
      const url = request.url();
      if (!world.mayAsk(url, request.isNavigationRequest())) world.strangers.push(url);
    });
    context.on('console', (message) => {
      // Chromium also reports the status of a page that is meant to be 400.
      const isStatus = message.text().startsWith('Failed to load resource');
      if (message.type() === 'error' && !isStatus) world.complaints.push(message.text());
    });
    context.on('weberror', (error) => world.complaints.push(String(error.error())));
  }

  async open(link) {
    this.page ??= await this.context.newPage();
    return this.page.goto(new URL(link, this.world.base).href);
  }

  post(path, data) {
    return this.context.request.post(this.world.base + path, { data });
  }

  heading() {
    return this.page.locator('h1').innerText();
  }

  press(text) {
    return this.page.getByRole('button', { name: text, exact: true }).click();
  }

  fill(label, text) {
    return this.page.getByLabel(label, { exact: true }).fill(text);
  }

  shot(name) {
    const file = `${RESULTS}${this.world.mode}-${name}.png`;
    return this.page.screenshot({ path: file, fullPage: true });
  }
}

/** What the checks of one mode share; `pause` is waited before somebody signs up. */
export class World {
  constructor(browser, server, mode, pause) {
    const { base, providers = {} } = server;
    Object.assign(this, { browser, server, base, providers, mode, pause });
    Object.assign(this, { strangers: [], complaints: [], contexts: [], people: 0 });
  }

  /** Our own pages ask us alone; a browser may also be sent to a provider. */
  mayAsk(url, isNavigation) {
    const origins = Object.values(this.providers).map(({ origin }) => origin);
    const isAway = isNavigation && origins.includes(new URL(url).origin);
    return isAway || url.startsWith(`${this.base}/`) || url.startsWith('data:');
  }

  async person() {
    const javaScriptEnabled = this.mode === 'scripts';
    const context = await this.browser.newContext({ javaScriptEnabled, locale: 'en-GB' });
    this.contexts.push(context);
    return new Person(this, context);
  }

  /** Closes everybody's browser; a window of pictures takes a hundred megabytes. */
  async part() {
    await Promise.all(this.contexts.splice(0).map((context) => context.close()));
  }

  /** Somebody who has just signed up, and the link they were mailed. */
  async signUp() {
    if (this.pause > 0) await this.advance(this.pause);
    const person = await this.person();
    this.people += 1;
    const username = `${this.mode}-${this.people}`;
    const email = `${username}@example.com`;
    const answer = await person.post('/api/auth/register/', { username, email, password: PASSWORD });
    assert.equal(answer.status(), 201, await answer.text());
    return { person, email, link: await this.link(email) };
  }

  /** The server's time in seconds. */
  now() {
    return Date.now() / 1_000 + this.server.moved;
  }

  advance(seconds) {
    this.server.moved += seconds;
    return advance(this.base, seconds);
  }

  /** The newest link mailed to an address, once there are so many mails to it. */
  async link(email, mails = 1) {
    const all = await messages(this.base, email, mails);
    return all.map(({ text }) => text.match(/https?:\S+/)).find(Boolean)[0];
  }

  /** The code in the newest message to a number, once there is one. */
  async code(number) {
    const [newest] = await messages(this.base, number, 1);
    return newest.text.match(/\b\d{6}\b/)[0];
  }

  async login(email, password) {
    const headers = { 'content-type': 'application/json' };
    const body = JSON.stringify({ email, password });
    const answer = await fetch(`${this.base}/api/auth/login/`, { method: 'POST', headers, body });
    return { status: answer.status, body: await answer.json() };
  }
}
