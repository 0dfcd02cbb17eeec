// Sign-in with providers in a browser: our page, the provider's, and back.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { appOf } from './authenticator.mjs';
import { messages } from './server.mjs';
import { PASSWORD } from './world.mjs';

/** ID tokens have the machine's time, so the server's clock stays with it. */
export const PAUSE = 0;
export const CONFIG = `
[limits]
sign_ups_per_network_hour = 1000
`;

const TITLES = {
  google: 'Google',
  generic: 'Our own issuer',
  github: 'GitHub',
  facebook: 'Facebook',
  linkedin: 'LinkedIn',
};

/** What providers say that nothing is known about addresses of. */
const SILENT = ['facebook', 'linkedin'];

/** From our page to the provider's. */
async function leave(person, name, next = '') {
  await person.open(`/sign-in${next}`);
  await person.page.getByRole('link', { name: `Continue with ${TITLES[name]}` }).click();
  assert.match(await person.heading(), /^Sign in to /);
}

/** What the person does there. */
async function answer(person, email, button = 'Continue') {
  await person.fill('E-mail', email);
  await person.press(button);
}

async function signIn(person, name, email) {
  await leave(person, name);
  await answer(person, email);
  assert.equal(await person.heading(), 'You are signed in');
}

/** Whom the browser's cookie signs in; `null` for nobody. */
async function me(person) {
  const refreshed = await person.post('/api/auth/token/refresh/');
  if (!refreshed.ok()) return null;
  const { access } = await refreshed.json();
  const headers = { authorization: `Bearer ${access}` };
  const answered = await person.context.request.get(`${person.world.base}/api/auth/me`, { headers });
  assert.equal(answered.status(), 200);
  return { ...(await answered.json()), access };
}

/** Somebody with a password, whose address is proven. */
async function proven(world, email) {
  const person = await world.person();
  const username = createHash('sha256').update(email).digest('hex').slice(0, 12);
  const made = await person.post('/api/auth/register/', { username, email, password: PASSWORD });
  assert.equal(made.status(), 201, await made.text());
  await person.open(await world.link(email));
  await person.press('Confirm');
  assert.equal(await person.heading(), 'Your address is confirmed');
  return person;
}

/** The address that the provider sends the browser back to, in place of going there. */
async function stopAtCallback(person, name, email) {
  const form = person.page.locator('form');
  const hidden = await form.locator('input[type=hidden]').all();
  const fields = { email, end: 'allow' };
  for (const one of hidden) fields[await one.getAttribute('name')] = await one.inputValue();
  let url = new URL(await form.getAttribute('action'), person.page.url());
  const { request } = person.context;
  let answered = await request.post(url.href, { form: fields, maxRedirects: 0 });
  for (;;) {
    url = new URL(answered.headers().location, url);
    if (url.href.startsWith(`${person.world.base}/api/auth/social/${name}/callback?`)) break;
    assert.equal(url.origin, person.world.providers[name].origin);
    answered = await request.get(url.href, { maxRedirects: 0 });
  }
  assert.ok(url.searchParams.has('code'), url.href);
  return url.href;
}

/** A person who is told to begin again, and is nobody. */
async function refused(person, alert, shot) {
  assert.equal(await person.heading(), 'Sign in');
  assert.match(await person.page.getByRole('alert').innerText(), alert);
  assert.equal(new URL(person.page.url()).search, '', 'nothing stays in the address bar');
  if (shot) await person.shot(shot);
  assert.equal(await me(person), null);
}

const FOREIGN = /does not belong to this browser/;

const CHECKS_OF_ONE = {
  'signs in, and again as the same account': async (world, name) => {
    const email = `${world.mode}-${name}@example.com`;
    const first = await world.person();
    await first.open('/sign-in');
    if (name === 'google') await first.shot('social');
    await leave(first, name);
    await answer(first, email);
    assert.equal(await first.heading(), 'You are signed in');
    assert.equal(new URL(first.page.url()).search, '', 'the code leaves the address bar');
    if (name === 'google') await first.shot('social-signed-in');
    const made = await me(first);
    assert.deepEqual(made.providers, [name]);
    const isProven = !SILENT.includes(name);
    assert.equal(made.email_verified, isProven);
    if (isProven) assert.equal(made.email, email);
    else assert.match(made.email, new RegExp(`^${name}_u?\\d+@users\\.noreply\\.invalid$`));

    const second = await world.person();
    await signIn(second, name, email);
    assert.equal((await me(second)).id, made.id);
    const other = await world.person();
    await signIn(other, name, `other-${email}`);
    assert.notEqual((await me(other)).id, made.id);
  },

  'is refused at an account whose address it does not prove': async (world, name) => {
    const email = `unverified-${world.mode}-${name}@example.com`;
    const owner = await proven(world, email);
    const thief = await world.person();
    await leave(thief, name);
    await answer(thief, email);
    await refused(thief, /exists already/, name === 'github' ? 'social-taken' : undefined);
    await owner.post('/api/auth/login/', { email, password: PASSWORD });
    assert.deepEqual((await me(owner)).providers, []);
  },
};

const CHECKS_OF_ALL = {
  async 'a proven address at both ends is one account, and its owner hears of it'(world) {
    const email = `both-${world.mode}@example.com`;
    const owner = await proven(world, email);
    await owner.post('/api/auth/login/', { email, password: PASSWORD });
    const { id } = await me(owner);
    const person = await world.person();
    await signIn(person, 'google', email);
    const found = await me(person);
    assert.equal(found.id, id);
    assert.deepEqual(found.providers, ['google']);
    const mails = await messages(world.base, email, 2);
    assert.ok(mails.some(({ text }) => /google/i.test(text)), 'a mail names the provider');
    assert.ok(await me(owner), 'nobody is signed out');
  },

  async 'what an unproven account was made with does not survive its owner'(world) {
    const email = `hijack-${world.mode}@example.com`;
    const thief = await world.person();
    const username = `hijack-${world.mode}`;
    await thief.post('/api/auth/register/', { username, email, password: PASSWORD });
    await thief.post('/api/auth/login/', { email, password: PASSWORD });
    assert.ok(await me(thief));
    const owner = await world.person();
    await signIn(owner, 'generic', email);
    assert.equal((await me(owner)).email_verified, true);
    assert.equal(await me(thief), null);
    assert.equal((await world.login(email, PASSWORD)).status, 400);
  },

  async 'a forged state is refused'(world) {
    const person = await world.person();
    const email = `forged-${world.mode}@example.com`;
    for (const forge of [
      (url) => url.searchParams.set('state', 'forged'),
      (url) => url.searchParams.delete('state'),
      (url) => url.searchParams.append('state', url.searchParams.get('state')),
    ]) {
      await leave(person, 'github');
      const url = new URL(await stopAtCallback(person, 'github', email));
      forge(url);
      await person.open(url.href);
      await refused(person, FOREIGN, 'social-forged');
    }
  },

  async 'the way back without the cookie is refused'(world) {
    const person = await world.person();
    await leave(person, 'generic');
    const back = await stopAtCallback(person, 'generic', `cookie-${world.mode}@example.com`);
    const other = await world.person();
    await other.open(back);
    await refused(other, FOREIGN, 'social-elsewhere');
    await person.context.clearCookies();
    await person.open(back);
    await refused(person, FOREIGN);
  },

  async 'one provider does not end what was begun with another'(world) {
    const person = await world.person();
    await leave(person, 'generic');
    const back = await stopAtCallback(person, 'generic', `mixed-${world.mode}@example.com`);
    await person.open(back.replace('/generic/', '/google/'));
    await refused(person, FOREIGN);
  },

  async 'a code works once, whoever opens its address again'(world) {
    const person = await world.person();
    const email = `replay-${world.mode}@example.com`;
    await leave(person, 'google');
    const back = await stopAtCallback(person, 'google', email);
    const cookies = await person.context.cookies();
    await person.open(back);
    assert.equal(await person.heading(), 'You are signed in');
    // Even by somebody who copied the browser's cookies before.
    const thief = await world.person();
    await thief.context.addCookies(cookies);
    await thief.open(back);
    await refused(thief, FOREIGN, 'social-replayed');
    await person.open(back);
    assert.equal(await person.heading(), 'Sign in');
    assert.ok(await me(person), 'who is signed in stays so');
  },

  async 'a person who says no is told that nothing happened'(world) {
    const person = await world.person();
    for (const name of Object.keys(TITLES)) {
      await leave(person, name);
      await answer(person, `denied-${world.mode}@example.com`, 'Cancel');
      await refused(person, /you did not agree/, name === 'linkedin' ? 'social-denied' : undefined);
    }
  },

  async 'what a provider says that fails is not repeated'(world) {
    const person = await world.person();
    for (const name of Object.keys(TITLES)) {
      await leave(person, name);
      await answer(person, `broken-${world.mode}@example.com`, 'Break');
      await refused(person, /could not be signed in/, name === 'google' ? 'social-failed' : undefined);
      const text = await person.page.locator('body').innerText();
      assert.doesNotMatch(text, /suspended|Something broke|r_emailaddress|Can not load/);
    }
  },

  async 'the second factor is asked for after the provider'(world) {
    const email = `factor-${world.mode}@example.com`;
    const person = await world.person();
    await signIn(person, 'google', email);
    const { access } = await me(person);
    const headers = { authorization: `Bearer ${access}` };
    const call = (path, data) =>
      person.context.request.post(`${world.base}/api/auth/2fa/${path}`, { data, headers });
    const begun = await call('totp');
    assert.ok(begun.ok(), await begun.text());
    const app = appOf((await begun.json()).secret);
    const confirmed = await call('totp/confirm', { code: app(world.now()) });
    assert.ok(confirmed.ok(), await confirmed.text());

    await world.advance(30);
    const other = await world.person();
    await leave(other, 'google', '?next=/docs');
    await answer(other, email);
    assert.equal(await other.heading(), 'One more step');
    await other.shot('social-second-step');
    assert.equal(await me(other), null, 'half a sign-in is none');
    await other.fill('Code', '000000');
    await other.press('Sign in');
    assert.match(await other.page.getByRole('alert').innerText(), /not right/);
    await other.fill('Code', app(world.now()));
    await other.press('Sign in');
    await other.page.waitForURL(`${world.base}/docs`);
    assert.equal((await me(other)).email, email);
  },

  async 'people go on where they wanted to, but never to strangers'(world) {
    const person = await world.person();
    const email = `next-${world.mode}@example.com`;
    await leave(person, 'github', '?next=%2Fdocs%3Fa%3Db');
    await answer(person, email);
    await person.page.waitForURL(`${world.base}/docs?a=b`);
    assert.equal((await me(person)).email, email);
    for (const next of [
      'https://evil.example/',
      '//evil.example/',
      '/\\evil.example/',
      '/%09/evil.example/',
      'javascript:alert(1)',
      `${world.base}.evil.example/`,
      `${world.base}@evil.example/`,
    ]) {
      const query = `?next=${encodeURIComponent(next)}`;
      for (const path of [`/sign-in${query}`, `/api/auth/social/github/start${query}`]) {
        const answered = await person.open(path);
        assert.equal(answered.status(), 400, next);
        assert.ok(person.page.url().startsWith(world.base), person.page.url());
      }
    }
    await person.shot('social-bad-next');
  },

  async 'a signed-in person connects a provider, and it signs in'(world) {
    const email = `connect-${world.mode}@example.com`;
    const person = await proven(world, email);
    await person.post('/api/auth/login/', { email, password: PASSWORD });
    const { access, id } = await me(person);
    const headers = { authorization: `Bearer ${access}` };
    const url = `${world.base}/api/auth/social/facebook/link`;
    const asked = await person.context.request.post(url, { headers, data: {} });
    assert.equal(asked.status(), 200, await asked.text());
    await person.open((await asked.json()).authorization_url);
    await answer(person, `somebody-${email}`);
    assert.equal(await person.heading(), 'It is connected');
    await person.shot('social-connected');
    assert.deepEqual((await me(person)).providers, ['facebook']);
    const other = await world.person();
    await signIn(other, 'facebook', `somebody-${email}`);
    assert.equal((await me(other)).id, id);
  },

  async 'an unknown provider is said to be so'(world) {
    const person = await world.person();
    const answered = await person.open('/api/auth/social/nobody/start');
    assert.equal(answered.status(), 400);
    await person.shot('social-unknown');
  },

  async 'the choice of providers fits a small screen'(world) {
    const person = await world.person();
    await person.open('/sign-in');
    await person.page.setViewportSize({ width: 320, height: 640 });
    await person.shot('social-small');
    const box = await person.page.locator('main').boundingBox();
    assert.ok(box.x >= 0 && box.x + box.width <= 320, `main is ${box.width} wide`);
  },

  async 'a way older than ten minutes is refused'(world) {
    const person = await world.person();
    await leave(person, 'facebook');
    const back = await stopAtCallback(person, 'facebook', `late-${world.mode}@example.com`);
    await world.advance(601);
    await person.open(back);
    await refused(person, FOREIGN);
  },
};

const ofEach = Object.keys(TITLES).flatMap((name) =>
  Object.entries(CHECKS_OF_ONE).map(([what, check]) => [
    `${TITLES[name]} ${what}`,
    (world) => check(world, name),
  ]),
);

export const CHECKS = { ...Object.fromEntries(ofEach), ...CHECKS_OF_ALL };
