// What the front end of `/api/auth/*` does: a page of another origin that keeps everything but the
// refresh cookie in memory, and asks for two refreshes at once whenever it is loaded.

import { createHash, randomBytes } from 'node:crypto';
import { Browser } from '../browser.mjs';
import { FRONT_END } from '../providers/index.mjs';
import { visit } from '../providers/visitor.mjs';

export const name = 'auth';
export const needsProviders = true;

const ORIGIN = 'http://127.0.0.1:5173';
const PASSWORD = 'vierzehn Igel im Regen';
const MINUTE = 60;
const DAY = 24 * 60 * MINUTE;

/** What the buttons ask for. */
const BUTTONS = {
  google: { scope: 'openid email profile', access_type: 'offline', prompt: 'select_account' },
  github: { scope: 'read:user user:email' },
  facebook: { scope: 'email,public_profile' },
  linkedin: { scope: 'r_liteprofile r_emailaddress' },
};

/** One load of the page; several share a browser's cookies. */
class Page extends Browser {
  constructor(base, cookies) {
    super(ORIGIN, cookies);
    this.base = base;
    this.user = null;
    this.access = null;
  }

  /** `api.js`: anything but 2xx is an error, and what succeeds is JSON. */
  async api(path, init = {}) {
    const answer = await this.fetch(`${this.base}/api${path}`, init);
    if (!answer.ok) throw new Error(await answer.text());
    return answer.json();
  }

  post(path, body) {
    const headers = { 'Content-Type': 'application/json' };
    return this.api(path, { method: 'POST', headers, body: JSON.stringify(body) });
  }

  async refreshToken() {
    this.access = (await this.api('/auth/token/refresh/', { method: 'POST' })).access;
    return this.access;
  }

  async checkAuth() {
    const access = await this.refreshToken();
    this.user = await this.me(access);
  }

  me(access) {
    return this.api('/auth/me/', { headers: { Authorization: `Bearer ${access}` } });
  }

  /** What `App.jsx` does when it mounts. */
  async mount() {
    await Promise.allSettled([this.refreshToken(), this.checkAuth()]);
    return this;
  }

  async login(email, password) {
    const { access, refresh, user } = await this.post('/auth/login/', { email, password });
    Object.assign(this, { access, user });
    return refresh;
  }

  /** A button: keeps what the way back needs, and says where the browser goes. */
  leave(provider, { client, endpoints }) {
    const nonce = randomBytes(24).toString('base64url');
    const state = btoa(JSON.stringify({ nonce, provider }));
    const verifier = randomBytes(48).toString('base64url');
    this.storage = { state, verifier };
    const url = new URL(endpoints.authorization_endpoint);
    const challenge = createHash('sha256').update(verifier).digest('base64url');
    const pkce = { code_challenge: challenge, code_challenge_method: 'S256' };
    const query = {
      client_id: client.id,
      redirect_uri: FRONT_END,
      response_type: 'code',
      state,
      ...BUTTONS[provider],
      ...(provider === 'facebook' ? {} : pkce),
    };
    for (const [key, value] of Object.entries(query)) url.searchParams.set(key, value);
    return url.href;
  }

  /** `OAuthCallback`: the state is its own affair, the verifier always goes along. */
  async oauthCallback(url) {
    const [code, state] = ['code', 'state'].map((key) => url.searchParams.get(key));
    if (!code || state !== this.storage.state) throw new Error('Invalid state');
    const { provider } = JSON.parse(atob(state));
    const body = { code, code_verifier: this.storage.verifier };
    const { access, user } = await this.post(`/auth/social/${provider}/`, body);
    Object.assign(this, { access, user });
  }

  /** The header's button: whatever is answered, the page forgets the person. */
  async logout() {
    await this.api('/auth/logout/', { method: 'POST' }).catch(() => null);
    Object.assign(this, { access: null, user: null });
  }
}

/** The text of an error. */
async function refusal(act) {
  try {
    await act;
  } catch (error) {
    return error.message;
  }
  return 'no error';
}

export async function run({ base, providers, mail, advance, check }) {
  const is = (found, wanted) =>
    check(found === wanted, `${JSON.stringify(found)} instead of ${JSON.stringify(wanted)}`);
  const email = 'ada@example.com';
  const browser = new Page(base);
  const load = () => new Page(base, browser.cookies).mount();

  // Nobody is signed in.
  is((await load()).user, null);
  await signsInElsewhere(base, providers, mail, is);
  is(await refusal(browser.refreshToken()), '{"detail":"No refresh token"}');

  const account = { username: 'ada', email, password: PASSWORD };
  const registered = await browser.post('/auth/register/', account);
  is(registered.message, 'Registered. Please verify email.');
  is(
    await refusal(browser.post('/auth/register/', account)),
    '{"username":["A user with that username already exists."],' +
      '"email":["user with this email already exists."]}',
  );
  is(
    await refusal(browser.login(email, 'not the one')),
    '{"non_field_errors":["Invalid credentials"]}',
  );
  await browser.login(email, PASSWORD);
  is(`${browser.user.username} ${browser.user.email}`, `ada ${email}`);

  await verifies(base, mail, email, browser, is);
  await loadsAgain(load, advance, is);
  await losesAnswers(base, browser, load, is);
  await keepsItsFirstToken(base, email, advance, is);

  await browser.login(email, PASSWORD);
  // The page is left open: its access token runs out, and the next load brings another.
  const open = await load();
  await advance(16 * MINUTE);
  is((await refusal(open.me(open.access))).includes('Token is expired'), true);
  is((await load()).user.email, email);

  const stolen = new Map(browser.cookies);
  await open.logout();
  is(browser.cookies.has('refresh_token'), false);
  is((await load()).user, null);
  is((await new Page(base, stolen).mount()).user, null);

  await browser.login(email, PASSWORD);
  await advance(15 * DAY);
  is((await load()).user, null);
}

/** Every provider's button: once, and again from a browser that knows nothing. */
async function signsInElsewhere(base, providers, mail, is) {
  for (const provider of Object.keys(BUTTONS)) {
    const email = `${provider}@example.com`;
    const signIn = async (cookies) => {
      const page = new Page(base, cookies);
      await page.oauthCallback(await visit(page.leave(provider, providers[provider]), email));
      return page;
    };
    const page = await signIn();
    const isProven = provider === 'google' || provider === 'github';
    is(page.user.email_verified, isProven);
    is(page.user.email === email, isProven);
    const me = await page.me(page.access);
    is(`${me.id} ${me.providers}`, `${page.user.id} ${provider}`);
    is((await new Page(base, page.cookies).mount()).user?.id, me.id);
    is((await signIn()).user.id, me.id);
    await page.logout();
    is((await new Page(base, page.cookies).mount()).user, null);
  }
  await failsElsewhere(base, providers, is);
  await connectsNothingUnproven(base, providers, mail, is);
}

/** What the page shows behind "Backend error: ". */
async function failsElsewhere(base, providers, is) {
  const page = new Page(base);
  const post = (provider, body) => refusal(page.post(`/auth/social/${provider}/`, body));
  is(await post('myspace', { code: 'x' }), '{"detail":"Unsupported provider"}');
  is(
    await post('google', { access_token: 'x' }),
    '{"detail":"Failed to fetch user from provider",' +
      '"error":"access_token is not accepted; send code"}',
  );
  for (const provider of Object.keys(BUTTONS)) {
    const email = `fails-${provider}@example.com`;
    const away = () => page.leave(provider, providers[provider]);
    const denied = await visit(away(), email, 'deny');
    is(denied.searchParams.get('code'), null);
    const failed = async (body) => {
      const said = await post(provider, body);
      is(/^\{"detail":"Code exchange failed","error":"[^"]+"\}$/.test(said), true);
    };
    await failed({ code: 'guessed', code_verifier: 'a'.repeat(43) });
    const code = (await visit(away(), email)).searchParams.get('code');
    if (provider !== 'facebook') {
      await failed({ code });
      await failed({ code, code_verifier: 'a'.repeat(43) });
    }
    const back = await visit(away(), email);
    await page.oauthCallback(back);
    is(await refusal(page.oauthCallback(back)) !== 'no error', true);
    await failed({ code: back.searchParams.get('code'), code_verifier: page.storage.verifier });
  }
}

/** An account with a password joins a provider's only if both sides have proven the address. */
async function connectsNothingUnproven(base, providers, mail, is) {
  const email = 'unverified-grace@example.com';
  const page = new Page(base);
  await page.post('/auth/register/', { username: 'grace', email, password: PASSWORD });
  await page.login(email, PASSWORD);
  await verifies(base, mail, email, page, is);
  for (const provider of Object.keys(BUTTONS)) {
    const other = new Page(base);
    const back = await visit(other.leave(provider, providers[provider]), email);
    is(
      await refusal(other.oauthCallback(back)),
      '{"detail":"An account with this e-mail already exists. ' +
        'Sign in with your password to connect it."}',
    );
  }
  is((await page.me(page.access)).providers.length, 0);
}

/** The link of the mail, opened through the contract's own path. */
async function verifies(base, mail, email, page, is) {
  is((await page.me(page.access)).email_verified, false);
  const [, token] = (await mail(email)).match(/https?:\S+token=([\w-]+)/);
  const verify = async () => {
    const headers = { accept: 'application/json' };
    const answer = await fetch(`${base}/api/auth/verify-email/?token=${token}`, { headers });
    return `${answer.status} ${await answer.text()}`;
  };
  is(await verify(), '200 {"message":"Email verified"}');
  const me = await page.me(page.access);
  is(`${me.email_verified} ${me.providers.length}`, 'true 0');
}

/** The page is loaded again and again, in several tabs too, soon and late. */
async function loadsAgain(load, advance, is) {
  for (const pause of [0, 0, 1, 31, 2 * MINUTE, 20 * MINUTE, DAY, 10 * DAY, 0]) {
    await advance(pause);
    const page = await load();
    is(page.user?.username, 'ada');
    is((await page.me(page.access)).username, 'ada');
  }
  for (const pause of [0, 5, 45, DAY]) {
    await advance(pause);
    const tabs = await Promise.all([load(), load(), load(), load()]);
    for (const tab of tabs) is(tab.user?.username, 'ada');
  }
}

/** Answers get lost on their way, cookies with them. */
async function losesAnswers(base, browser, load, is) {
  for (let n = 0; n < 5; n += 1) {
    await new Page(base, new Map(browser.cookies)).mount();
    is((await load()).user?.username, 'ada');
  }
}

/** A program that stored the refresh token of its sign-in, and never any other: that lasts as
 * long as the token itself. */
async function keepsItsFirstToken(base, email, advance, is) {
  const kept = await new Page(base).login(email, PASSWORD);
  const refresh = () =>
    fetch(`${base}/api/auth/token/refresh/`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ refresh: kept }),
    });
  for (const pause of [0, 1, 31, 16 * MINUTE, DAY, 12 * DAY]) {
    await advance(pause);
    const answers = await Promise.all([refresh(), refresh()]);
    for (const answer of answers) {
      is(answer.status, 200);
      is(answer.headers.getSetCookie().length, 0);
      const headers = { authorization: `Bearer ${(await answer.json()).access}` };
      is((await fetch(`${base}/api/auth/me/`, { headers })).status, 200);
    }
  }
  await advance(DAY);
  is((await (await refresh()).json()).detail, 'Token is expired');
}
