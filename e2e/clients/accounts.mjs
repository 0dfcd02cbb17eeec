// A client of `/accounts/*`. The contract's system had no front end, so this one is written as
// its serializers and views ask for: Bearer tokens, the refresh token of the sign-in kept for
// ever, answers checked key by key, since a generated client refuses what it does not expect.

import { appOf } from '../authenticator.mjs';

export const name = 'accounts';

const PASSWORD = 'vierzehn Igel im Regen';
const OTHER_PASSWORD = 'fünfzehn Igel im Schnee';
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const DATE_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;
const IP_ADDRESS = /^(\d{1,3}(\.\d{1,3}){3}|[0-9a-f:]+)$/;

/** Somebody's client: what it holds, and the parsing that every answer goes through. */
class Client {
  constructor({ base, check }) {
    Object.assign(this, { base, check, access: null, refreshToken: null });
  }

  async call(method, path, { body, bearer = true, accept = 'application/json' } = {}) {
    const headers = { accept, 'user-agent': 'accounts-client/1.0' };
    if (body !== undefined) headers['content-type'] = 'application/json';
    if (bearer && this.access) headers.authorization = `Bearer ${this.access}`;
    const url = `${this.base}/accounts/${path}`;
    const redirect = 'manual';
    const answer = await fetch(url, { method, headers, body: JSON.stringify(body), redirect });
    if (answer.status === 204 || answer.status === 303) return { status: answer.status };
    this.check(answer.headers.get('content-type') === 'application/json', `${path} is JSON`);
    return { status: answer.status, body: await answer.json(), headers: answer.headers };
  }

  post(path, body) {
    return this.call('POST', path, { body, bearer: false });
  }

  /** An answer whose keys, in this order, and values are these and no others. */
  expect(answer, status, body, what) {
    const [found, wanted] = [answer.body, body].map((it) => JSON.stringify(it));
    this.check(answer.status === status, `${what}: ${answer.status} ${found}`);
    this.check(found === wanted, `${what}: ${found} in place of ${wanted}`);
  }

  async login(email, password) {
    const answer = await this.post('login/', { email, password });
    if (answer.status !== 200) return answer;
    const keys = Object.keys(answer.body).join();
    this.check(keys === 'access_token,refresh_token,message', keys);
    this.check(answer.body.message === 'Login successful', answer.body.message);
    this.access = answer.body.access_token;
    this.refreshToken = answer.body.refresh_token;
    return answer;
  }

  /** A new access token by the refresh token of the sign-in, which stays the one to keep. */
  async refresh() {
    const answer = await this.post('refresh/', { refresh_token: this.refreshToken });
    if (answer.status !== 200) return false;
    this.check(Object.keys(answer.body).join() === 'access_token', JSON.stringify(answer.body));
    this.access = answer.body.access_token;
    return true;
  }

  /** What a page shows; an expired access token is replaced once, as interceptors do. */
  async load(path) {
    const first = await this.call('GET', path);
    if (first.status !== 401 || !(await this.refresh())) return first;
    return this.call('GET', path);
  }
}

export async function run({ base, mail, advance: move, check }) {
  const world = { base, check };
  let moved = 0;
  const advance = (seconds) => {
    moved += seconds;
    return move(seconds);
  };
  const email = 'Ada@Example.com';
  const client = new Client(world);
  const greeting = { message: `Hello ${email}` };

  await signsUp(client, email, mail);

  // The page is loaded: every part of it asks for a token of its own, with the same one.
  const first = client.refreshToken;
  for (let load = 0; load < 4; load += 1) {
    const parts = await Promise.all(Array.from({ length: 8 }, () => client.refresh()));
    check(parts.every(Boolean), `page load ${load}: a refresh beside others failed`);
    client.expect(await client.load('protected/'), 200, greeting, 'protected');
    await advance(60);
  }
  // A tab that was left open comes back days later, again and again, always with that token.
  for (let day = 0; day < 6; day += 1) {
    await advance(86_400);
    client.expect(await client.call('GET', 'protected/'), 401, EXPIRED, 'the access token is old');
    client.expect(await client.load('protected/'), 200, greeting, `day ${day}`);
    check(client.refreshToken === first, 'the client never got another refresh token');
  }

  const other = new Client(world);
  await other.login(email, PASSWORD);
  await listsAndEndsSessions(client, other);
  await asksForANewPassword(client, email, mail);
  await setsUpAnApp(client, Date.now() / 1_000 + moved);
  // Its code is nothing that this contract can ask for.
  const refused = await new Client(world).login(email, OTHER_PASSWORD);
  const sentence = { detail: 'Confirm it is you with your second factor.' };
  client.expect(refused, 401, sentence, 'the password alone');
  await toldOf('half-way', 'cannot ask for the code', email, mail);

  const answer = await client.post('logout/', { refresh_token: client.refreshToken });
  client.expect(answer, 200, { message: 'Logged out successfully' }, 'logout');
  check(!(await client.refresh()), 'the session is over');
  const again = await client.post('logout/', { refresh_token: client.refreshToken });
  check(again.status === 200, 'logging out twice is no error');
  check((await client.load('protected/')).status === 401, 'the access token is over as well');
}

const EXPIRED = {
  detail: 'Given token not valid for any token type',
  code: 'token_not_valid',
  messages: [{ token_class: 'AccessToken', token_type: 'access', message: 'Token is expired' }],
};

async function signsUp(client, email, mail) {
  const missing = ['This field is required.'];
  client.expect(await client.post('signup/', {}), 400, { email: missing, password: missing }, '{}');
  client.expect(
    await client.post('signup/', { email, password: PASSWORD }),
    201,
    { message: 'Signup successful. Please verify your email.' },
    'signup',
  );
  const waits = await client.login(email, PASSWORD);
  client.expect(waits, 401, { detail: 'Email not verified.' }, 'login before the mail');

  const link = (await mail(email)).match(/https?:\S+/)[0];
  client.check(/\/verify-email\/\?token=[\w-]+$/.test(link), link);
  const token = new URL(link).searchParams.get('token');
  const path = `verify-email/?token=${token}`;
  // A scanner opens whatever it finds; nothing of it counts.
  for (const accept of ['*/*', 'text/html']) {
    check303(client, await client.call('GET', path, { accept }));
  }
  const none = await client.call('GET', 'verify-email/');
  client.expect(none, 400, { error: 'Token is required.' }, 'verify without a token');
  const bad = await client.call('GET', 'verify-email/?token=bad');
  client.expect(bad, 400, { error: 'Invalid or expired token.' }, 'verify with a bad token');
  // A front end in development mode runs its effects twice.
  const done = await Promise.all([client.call('GET', path), client.call('GET', path)]);
  for (const answer of done) {
    client.expect(answer, 200, { message: 'Email verified successfully.' }, 'verify');
  }

  const wrong = await client.login(email, 'not the password');
  client.expect(wrong, 401, { detail: 'Invalid credentials.' }, 'a wrong password');
  const { status } = await client.login(email.toLowerCase(), PASSWORD);
  client.check(status === 200, `login: ${status}`);
}

function check303(client, answer) {
  client.check(answer.status === 303, `a browser is sent to the page, not ${answer.status}`);
}

async function listsAndEndsSessions(client, other) {
  const { status, body } = await client.load('sessions/');
  client.check(status === 200 && Array.isArray(body), `sessions: ${status}`);
  client.check(body.length === 2, `${body.length} sessions`);
  for (const session of body) {
    const keys = Object.keys(session).join();
    const known = 'id,device_name,ip_address,created_at,expires_at,is_revoked';
    client.check(keys === known, keys);
    client.check(UUID.test(session.id), session.id);
    client.check(session.device_name === 'accounts-client/1.0', session.device_name);
    client.check(IP_ADDRESS.test(session.ip_address), session.ip_address);
    for (const date of [session.created_at, session.expires_at]) {
      client.check(DATE_TIME.test(date) && !Number.isNaN(Date.parse(date)), date);
    }
    client.check(session.is_revoked === false, 'only live sessions are listed');
  }
  // The newest first: that is the other client's.
  const ended = await client.call('DELETE', `sessions/${body[0].id}/`);
  client.check(ended.status === 204, `ending a session: ${ended.status}`);
  const again = await client.call('DELETE', `sessions/${body[0].id}/`);
  client.expect(again, 404, { detail: 'Not found.' }, 'ending it again');
  const refused = await other.post('refresh/', { refresh_token: other.refreshToken });
  client.expect(refused, 401, { detail: 'Invalid session' }, 'a refresh of what is over');
  client.check((await other.load('protected/')).status === 401, 'the other client is out');
  client.check((await client.load('protected/')).status === 200, 'this one is not');
}

async function asksForANewPassword(client, email, mail) {
  const sent = { message: 'If the account exists, a reset link has been sent.' };
  for (const to of [email, 'nobody@example.com']) {
    client.expect(await client.post('password-reset/', { email: to }), 200, sent, to);
  }
  const text = await toldOf('the reset', '/reset-password', email, mail);
  const token = new URL(text.match(/https?:\S+/)[0]).searchParams.get('token');
  const confirm = (password) =>
    client.post('password-reset/confirm/', { token, new_password: password });
  const short = ['Ensure this field has at least 8 characters.'];
  client.expect(await confirm('short'), 400, { new_password: short }, 'a short password');
  const done = { message: 'Password has been reset.' };
  client.expect(await confirm(OTHER_PASSWORD), 200, done, 'a new password');
  const used = { error: 'Invalid or expired token.' };
  client.expect(await confirm(OTHER_PASSWORD), 400, used, 'the link works once');
  client.check(!(await client.refresh()), 'sessions end with the old password');
  const old = await client.login(email, PASSWORD);
  client.expect(old, 401, { detail: 'Invalid credentials.' }, 'the old password');
  const { status } = await client.login(email, OTHER_PASSWORD);
  client.check(status === 200, `the new password: ${status}`);
}

/** The mail with these words; notices of other things may come before it. */
async function toldOf(what, words, email, mail) {
  for (let mails = 0; mails < 10; mails += 1) {
    const text = await mail(email);
    if (text.replace(/\s+/g, ' ').includes(words)) return text;
  }
  throw new Error(`no mail about ${what}`);
}

/** An authenticator app, set up where our own API offers it. */
async function setsUpAnApp(client, now) {
  const ask = async (path, body = {}) => {
    const headers = {
      authorization: `Bearer ${client.access}`,
      'content-type': 'application/json',
    };
    const url = `${client.base}/api/auth/2fa/${path}`;
    const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
    client.check(answer.status === 200, `${path}: ${answer.status}`);
    return answer.json();
  };
  const { secret } = await ask('totp');
  await ask('totp/confirm', { code: appOf(secret)(now) });
}
