// What a client of `/users/*` does. Its system's guide describes no front end, so this one does
// what the guide tells: sign up by a code, verify with a password, sign in, ask who is there; it
// looks at `success` in every answer and shows `detail`.

import { Browser } from '../browser.mjs';

export const name = 'otp_session';

const ORIGIN = 'http://127.0.0.1:5173';
const PASSWORD = 'vierzehn Igel im Regen';
const MINUTE = 60;
const DAY = 24 * 60 * MINUTE;

/** A page that calls the server across origins, with its cookie. */
class Page extends Browser {
  constructor(base, prefix = '/users') {
    super(ORIGIN);
    Object.assign(this, { base, prefix });
  }

  /** What is answered, in short: the status, and the sentence if there is one. */
  async post(path, body, kind = 'application/json') {
    const isJson = kind === 'application/json';
    const answer = await this.fetch(`${this.base}${this.prefix}/${path}/`, {
      method: 'POST',
      headers: { 'Content-Type': kind },
      body: isJson ? JSON.stringify(body) : new URLSearchParams(body).toString(),
    });
    const { success, detail } = await answer.json();
    if (typeof success !== 'boolean') throw new Error(`${path}: success is ${success}`);
    return `${answer.status} ${success}${detail === undefined ? '' : ` ${detail}`}`;
  }

  /** Whoever is signed in, or nobody. */
  async whoAmI() {
    const answer = await this.fetch(`${this.base}${this.prefix}/who_am_i/`);
    const body = await answer.json();
    return answer.ok ? `${body.username} ${body.email}` : `nobody: ${answer.status} ${body.detail}`;
  }
}

/** The code in a mail, as a form field gives it: a number. */
function otpIn(text) {
  return Number.parseInt(text.match(/^\d{6}$/m)[0], 10);
}

const NOBODY = 'nobody: 403 Authentication credentials were not provided.';
const SENT = '200 true user sent for verification';
const UNKNOWN = '404 false No such user found, request a signup first';

export async function run({ base, mail, advance, check }) {
  const is = (found, wanted) =>
    check(found === wanted, `${JSON.stringify(found)} instead of ${JSON.stringify(wanted)}`);
  const page = new Page(base);
  is(await page.whoAmI(), NOBODY);
  await signsUp(page, { mail, advance, is });
  await signsIn(page, { advance, is });
  await somebodyElseComes(base, { mail, is });
  await otherSitesDoNothing(base, page, is);
}

/** Asks for a code, mistypes it, lets it expire, asks again. */
async function signsUp(page, { mail, advance, is }) {
  const bob = { username: 'bob', email: 'bob@example.com' };
  const verify = (otp, changed = {}) =>
    page.post('verification', { ...bob, password: PASSWORD, otp, ...changed });
  is(await page.post('signup', {}), '400 false username and email are required');
  is(await verify(123_456), UNKNOWN);
  is(await page.post('signup', bob), SENT);
  const first = otpIn(await mail(bob.email));
  is(await verify((first + 1) % 1_000_000), '401 false wrong otp');
  is(await verify(first, { username: 'bobby' }), UNKNOWN);
  const short = '400 false password: Ensure this field has at least 8 characters.';
  is(await verify(first, { password: 'short' }), short);
  await advance(10 * MINUTE);
  is(await verify(first), '410 false OTP expired');

  is(await page.post('signup', bob), SENT);
  const second = otpIn(await mail(bob.email));
  is(await verify(second), '200 true');
  is(await verify(second), UNKNOWN);
  is(await page.whoAmI(), NOBODY);
  const again = await page.post('signup', { ...bob, email: 'b@example.com' });
  is(again, '200 false username already exist');
}

/** Signs in for thirty days and not an hour longer; signs out. */
async function signsIn(page, { advance, is }) {
  const login = (username, password = PASSWORD) => page.post('login', { username, password });
  is(await page.post('login', { username: 'bob' }), '400 false username and password are required');
  is(await login('nobody'), '404 false user not found');
  is(await login('bob', 'not the password'), '404 false user not found');
  is(await page.whoAmI(), NOBODY);
  is(await login('bob'), '200 true');
  const session = page.cookies.get('sessionid');
  for (const days of [0, 1, 10, 18]) {
    await advance(days * DAY);
    is(await page.whoAmI(), 'bob bob@example.com');
  }
  await advance(DAY);
  is(await page.whoAmI(), NOBODY);
  is(await login('bob'), '200 true');
  is(page.cookies.get('sessionid') === session, false);
  is(await page.whoAmI(), 'bob bob@example.com');
  is(await page.post('logout', {}), '200 true logged out');
  is(page.cookies.has('sessionid'), false);
  is(await page.post('logout', {}), '200 true logged out');
  is(await page.whoAmI(), NOBODY);
}

/** A second client, by the other prefix and with forms, wishes for the same address. */
async function somebodyElseComes(base, { mail, is }) {
  const form = 'application/x-www-form-urlencoded';
  const page = new Page(base, '/user');
  is(await page.post('signup', { username: 'eve', email: 'bob@example.com' }, form), SENT);
  const told = await mailAbout(mail, 'bob@example.com', /already has an account/);
  is(/^\d{6}$/m.test(told), false);
  is(await page.post('signup', { username: 'eve', email: 'eve@example.com' }, form), SENT);
  const otp = otpIn(await mail('eve@example.com'));
  const eve = { username: 'eve', email: 'eve@example.com', password: PASSWORD, otp };
  is(await page.post('verification', eve, form), '200 true');
  is(await page.post('login', { username: 'eve', password: PASSWORD }, form), '200 true');
  is(await page.whoAmI(), 'eve eve@example.com');
}

/** A page of somebody else's cannot sign anybody in or out. */
async function otherSitesDoNothing(base, page, is) {
  is(await page.post('login', { username: 'bob', password: PASSWORD }), '200 true');
  const cookie = [...page.cookies].map(([key, value]) => `${key}=${value}`).join('; ');
  for (const path of ['login', 'logout']) {
    const answer = await fetch(`${base}/users/${path}/`, {
      method: 'POST',
      headers: { cookie, origin: 'https://evil.example', 'content-type': 'text/plain' },
      body: '{}',
    });
    is(answer.status, 403);
    is((await answer.json()).success, false);
  }
  is(await page.whoAmI(), 'bob bob@example.com');
}

/** The newest mail that says something: others may come in between. */
async function mailAbout(mail, to, words) {
  for (;;) {
    const text = await mail(to);
    if (words.test(text)) return text;
  }
}
