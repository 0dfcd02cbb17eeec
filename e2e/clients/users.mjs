// What the front end of `/api/users/*` does: a Next.js application at an origin of its own that
// passes `/api/…` on to the server, reads every answer as JSON and joins the first key of every
// error as a list.

import { scan } from '../authenticator.mjs';
import { Browser } from '../browser.mjs';

export const name = 'users';

const ORIGIN = 'https://localhost:3000';
const PASSWORD = 'vierzehn Igel im Regen';
const OTHER_PASSWORD = 'fünfzehn Igel im Schnee';
const RESET = /https?:\S+\/reset-password\S+/;

/** The browser in front of the rewriting server: `/api/x` goes to the server as `/api/x/`. */
class FrontEnd extends Browser {
  constructor(base) {
    super(ORIGIN);
    this.base = base;
    this.failures = 0;
  }

  target(url) {
    return new URL(`${url.pathname.replace(/\/$/, '')}/${url.search}`, this.base);
  }

  /** `AuthProvider.fetchWithAuth`, by which people register, sign in and out, and set up apps. */
  async fetchWithAuth(path, method = 'POST', body = undefined) {
    const headers = { 'Content-Type': 'application/json' };
    const answer = await this.fetch(`/api${path}`, { method, headers, body: JSON.stringify(body) });
    const data = await answer.json();
    if (answer.ok) return data;
    if (data.message) throw new Error(JSON.stringify(data.message));
    throw new Error(data[Object.keys(data)[0]].join(' '));
  }

  /** `apiClient` behind its circuit breaker: three failures in a row block it for 30 seconds. */
  async apiClient(path, method = 'GET', body = undefined) {
    if (this.failures >= 3) throw new Error('the circuit breaker is open');
    const headers = { 'Content-Type': 'application/json' };
    const answer = await this.fetch(`/api${path}`, { method, headers, body: JSON.stringify(body) });
    this.failures = answer.ok ? 0 : this.failures + 1;
    if (!answer.ok) throw Object.assign(new Error(answer.statusText), { answer });
    return inCamelCase(await answer.json());
  }

  /** Whoever is signed in, as SWR asks again and again: any error means nobody. */
  me() {
    return this.apiClient('/users/me/').catch(() => null);
  }

  /** `BackendHealthProvider`: the page is blank unless this answers within three seconds. */
  async isHealthy() {
    const signal = AbortSignal.timeout(3_000);
    return (await this.fetch('/api/health/', { signal })).ok;
  }

  login(credentials, method = 'traditional') {
    return this.fetchWithAuth('/users/login/', 'POST', { method, credentials });
  }
}

/** `business_id` and the like, as its code has them. */
function inCamelCase(value) {
  if (Array.isArray(value)) return value.map(inCamelCase);
  if (value === null || typeof value !== 'object') return value;
  const camel = (key) => key.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());
  const entries = Object.entries(value).map(([key, it]) => [camel(key), inCamelCase(it)]);
  return Object.fromEntries(entries);
}

/** The sentence that the page shows. */
async function said(act) {
  try {
    await act;
  } catch (error) {
    return error.message;
  }
  return 'no error';
}

export async function run(world) {
  const { base, check } = world;
  let moved = 0;
  const clock = {
    seconds: () => Date.now() / 1_000 + moved,
    advance: async (seconds) => {
      await world.advance(seconds);
      moved += seconds;
    },
  };
  const email = 'ada@example.com';
  const page = new FrontEnd(base);
  const is = (found, wanted) =>
    check(found === wanted, `${JSON.stringify(found)} instead of ${JSON.stringify(wanted)}`);

  // The page is opened: nobody is signed in.
  check(await page.isHealthy(), 'the backend is healthy');
  is(await page.me(), null);

  await registers(page, email, is);
  await callsFromElsewhere(base, email, is);
  await setsUpAnApp(page, email, clock, is);
  await forgets(page, world, email, is);
  await leaves(page, email, clock, is);
  await guesses(page, is);
}

/** Registers, and is signed in at once by a second call. */
async function registers(page, email, is) {
  const register = (body) => page.fetchWithAuth('/users/register/', 'POST', body);
  const wrong = { name: 'Ada', email: 'nowhere', password: 'short' };
  is(await said(register(wrong)), 'Enter a valid email address.');
  const account = { name: 'Ada Lovelace', email, password: PASSWORD };
  const early = page.login({ email, password: PASSWORD, code: '' });
  is(await said(early), 'Incorrect email or password.');
  is((await register(account)).message, 'User created successfully');
  is((await page.login({ email, password: PASSWORD, code: '' })).message, 'Login successful');
  is(page.cookies.has('access_token'), true);
  const me = await page.me();
  const shown = `${me.email} ${me.name} ${me.role} ${me.businessId}`;
  is(shown, `${email} Ada Lovelace business_owner null`);
  const dashboard = await page.apiClient('/dashboard/');
  is(JSON.stringify(dashboard), '{"business":null,"linkedPlatforms":[],"postsSummary":null}');
  is(await page.isHealthy(), true);
  is(await said(register(account)), 'user with this email already exists.');
}

/** An older front end, which calls the server across origins and not by way of its own. */
async function callsFromElsewhere(base, email, is) {
  const page = new Browser('https://localhost:3001');
  const credentials = { email, password: PASSWORD, code: '' };
  const login = await page.fetch(`${base}/api/users/login/`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ method: 'traditional', credentials }),
  });
  is((await login.json()).message, 'Login successful');
  const me = await page.fetch(`${base}/api/users/me/`);
  is((await me.json()).email, email);
}

/** The card with the authenticator app, and the two-step sign-in that follows from it. */
async function setsUpAnApp(page, email, clock, is) {
  const check = (code) => page.fetchWithAuth('/users/2fa-check/', 'POST', { code });
  is((await check('')).status, false);
  const { qr_code: picture } = await page.fetchWithAuth('/users/2fa-qr/');
  const app = scan(picture);
  is(app.uri.host, 'totp');
  is(decodeURIComponent(app.uri.pathname), `/Ironlatch:${email}`);
  is(app.uri.searchParams.get('issuer'), 'Ironlatch');
  // Any error is "wrong" to the card; what it joins is no list.
  is((await said(check('000000'))) === 'no error', false);
  is((await check(app.code(clock.seconds()))).status, true);
  is((await check('')).status, true);
  is(await said(page.fetchWithAuth('/users/2fa-qr/')), '2FA is already enabled.');

  is((await page.fetchWithAuth('/users/logout/')).message, 'Logged out successfully');
  is(page.cookies.has('access_token'), false);
  is(await page.me(), null);
  is((await page.fetchWithAuth('/users/logout/')).message, 'Logged out successfully');

  const once = { email, password: PASSWORD, code: '' };
  is(await said(page.login(once)), 'Requires 2FA Code.');
  is(await said(page.login({ ...once, code: '000000' }, '2fa')), 'Wrong Authentication Code!');
  await clock.advance(30);
  const code = app.code(clock.seconds());
  is((await page.login({ ...once, code }, '2fa')).message, 'Login successful');
  is((await page.me()).email, email);
  is((await page.fetchWithAuth('/users/2fa-remove/')).status, false);
  is((await page.login(once)).message, 'Login successful');
}

/** The pages for a forgotten password. */
async function forgets(page, world, email, is) {
  const { mail } = world;
  const forgot = (address) =>
    page.fetch('/api/users/password/forgot/', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ email: address }),
    });
  is((await forgot('nobody@example.com')).ok, true);
  is((await (await forgot('nowhere')).json()).email[0], 'Enter a valid email address.');
  is((await forgot(email)).ok, true);
  const [link] = (await mail(email, RESET)).match(RESET);
  // `/reset-password` hands both on as they are, so nothing in them may need encoding.
  const [, uid, token] = link.match(/\?uid=([\w.~-]+)&token=([\w.~-]+)$/);
  const reset = async (new_password, key = token) => {
    const answer = await page.fetch('/api/users/password/reset/', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ uid, token: key, new_password }),
    });
    const data = await answer.json();
    return answer.ok ? data.message : data.non_field_errors[0];
  };
  is(await reset('short'), 'Ensure this field has at least 8 characters.');
  is(await reset(OTHER_PASSWORD, 'another'), 'Invalid or expired token');
  is(await reset(OTHER_PASSWORD), 'Password has been reset');
  is(await reset(OTHER_PASSWORD), 'Invalid or expired token');
  is(await page.me(), null);
  const login = (password) => page.login({ email, password, code: '' });
  is(await said(login(PASSWORD)), 'Incorrect email or password.');
  is((await login(OTHER_PASSWORD)).message, 'Login successful');
  is((await page.me()).email, email);
}

/** The account page: it deletes, asks who is signed in, and expects an error. */
async function leaves(page, email, clock, is) {
  const leave = () => page.fetch('/api/users/delete/', { method: 'DELETE' });
  await clock.advance(601);
  const refused = await leave();
  is(refused.status, 403);
  is((await refused.json()).error.join(' '), 'Please sign in again to do this.');
  is((await page.me()).email, email);
  is((await page.login({ email, password: OTHER_PASSWORD, code: '' })).message, 'Login successful');
  const done = await leave();
  is((await done.json()).message, 'Account deleted successfully');
  is(await page.me(), null);
  is(
    await said(page.login({ email, password: OTHER_PASSWORD, code: '' })),
    'Incorrect email or password.',
  );
}

/** Whatever goes wrong can be joined and shown. */
async function guesses(page, is) {
  const credentials = { email: 'eve@example.com', password: 'not the one', code: '' };
  let shown = '';
  for (let n = 0; n < 6; n += 1) shown = await said(page.login(credentials));
  is(/^Too many attempts\. Try again in \d+ seconds\.$/.test(shown), true);
  const nobody = 'Authentication credentials were not provided.';
  is(await said(page.fetchWithAuth('/users/2fa-qr/')), nobody);
  is(await said(page.fetchWithAuth('/users/2fa-check/', 'POST', { code: '' })), nobody);
  is(await said(page.fetchWithAuth('/users/nothing/')), 'Not found.');
  is(await said(page.fetchWithAuth('/users/me/')), 'Method "POST" not allowed.');
  is(await said(page.login('text')), 'Invalid data. Expected a dictionary, but got str.');
}
