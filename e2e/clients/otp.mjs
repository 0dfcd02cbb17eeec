// The clients of the code contract: a program that posts forms to `/api/auth/otp/*` and
// `/api/profile/`, and a page around the generated client of `/cfg/accounts/*`, which keeps its
// tokens in the browser's storage and checks the type of whatever succeeds.

import { Browser } from '../browser.mjs';

export const name = 'otp';

const ORIGIN = 'http://127.0.0.1:3000';
const MINUTE = 60;
const DAY = 24 * 60 * MINUTE;
/** One red pixel. */
const GIF = Buffer.from('R0lGODlhAQABAIAAAP8AAAAAACwAAAAAAQABAAACAkQBADs=', 'base64');

/** What the generated schema says of a user; keys it does not know are ignored. */
const USER = {
  id: Number.isInteger,
  email: (it) => /^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(it),
  first_name: isText,
  last_name: isText,
  full_name: isText,
  initials: isText,
  display_username: isText,
  company: isText,
  phone: isText,
  position: isText,
  avatar: (it) => it === null || URL.canParse(it),
  is_staff: (it) => typeof it === 'boolean',
  is_superuser: (it) => typeof it === 'boolean',
  date_joined: isMoment,
  last_login: (it) => it === null || isMoment(it),
  unanswered_messages_count: Number.isInteger,
};
const TOKENS = { access: isText, refresh: isText };
const VERIFIED = { ...TOKENS, user: (it) => parse(USER, it) !== undefined };
const REQUESTED = { message: isText };

function isText(it) {
  return typeof it === 'string';
}

/** In UTC and written so: `+00:00` in place of `Z` fails. */
function isMoment(it) {
  return isText(it) && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(it);
}

/** `schema.parse`: throws unless every key is there and of its type. */
function parse(schema, value) {
  for (const [key, isRight] of Object.entries(schema)) {
    if (!isRight(value[key])) throw new Error(`schema: ${key} is ${JSON.stringify(value[key])}`);
  }
  return value;
}

/** The generated client, and as much of the page around it as touches the network. */
class Demo extends Browser {
  constructor(base) {
    super(ORIGIN);
    this.base = base;
    this.storage = new Map();
    // Some other application of the same host has set one.
    this.cookies.set('csrftoken', 'of-somebody-else');
  }

  async request(method, path, schema, { json, form } = {}) {
    const headers = { accept: 'application/json' };
    if (json !== undefined) headers['content-type'] = 'application/json';
    const access = this.storage.get('auth_token');
    if (access) headers.authorization = `Bearer ${access}`;
    const csrf = this.cookies.get('csrftoken');
    if (csrf) headers['x-csrftoken'] = csrf;
    const body = form ?? (json === undefined ? undefined : JSON.stringify(json));
    const url = `${this.base}/cfg/accounts/${path}`;
    const answer = await this.fetch(url, { method, headers, body });
    const data = await answer.json();
    if (answer.status >= 400) {
      const error = new Error(messageOf(data) ?? `HTTP ${answer.status}`);
      throw Object.assign(error, { status: answer.status, data });
    }
    return parse(schema, data);
  }

  requestCode(identifier, channel) {
    return this.request('POST', 'otp/request/', REQUESTED, { json: { identifier, channel } });
  }

  /** Six slots, then "Verify Code", then the dashboard with the person's name. */
  async verifyCode(identifier, otp) {
    const verified = await this.request('POST', 'otp/verify/', VERIFIED, {
      json: { identifier, otp },
    });
    this.storage.set('auth_token', verified.access);
    this.storage.set('refresh_token', verified.refresh);
    return this.profile();
  }

  profile() {
    return this.request('GET', 'profile/', USER);
  }

  /** Stores the new access token together with the refresh token it had. */
  async refresh() {
    const json = { refresh: this.storage.get('refresh_token') };
    const { access } = await this.request('POST', 'token/refresh/', TOKENS, { json });
    this.storage.set('auth_token', access);
  }

  upload(form) {
    return this.request('POST', 'profile/avatar/', USER, { form });
  }

  /** On this side only, which is why the server's session lives on. */
  logout() {
    this.storage.clear();
  }
}

/** What `APIError` shows. */
function messageOf(data) {
  const first = Object.values(data).find(Array.isArray);
  return data.detail ?? data.message ?? first?.[0];
}

async function said(act) {
  try {
    await act;
  } catch (error) {
    return error.message;
  }
  return 'no error';
}

/** The code that was sent last. */
async function codeTo(mail, to) {
  const code = /\b\d{6}\b/;
  return (await mail(to, code)).match(code)[0];
}

export async function run(world) {
  const { base, check } = world;
  const is = (found, wanted) =>
    check(found === wanted, `${JSON.stringify(found)} instead of ${JSON.stringify(wanted)}`);
  const page = new Demo(base);
  await signsIn(page, world, is);
  await tellsAboutItself(page, is);
  await comesBack(page, world, is);
  await signsInByPhone(new Demo(base), world, is);
  await asksTooOften(new Demo(base), is);
  await isAProgram(world, is);
}

async function signsIn(page, { mail }, is) {
  const email = 'ada@example.com';
  is(await said(page.requestCode('', 'email')), 'This field may not be blank.');
  is(await said(page.requestCode('ada', 'email')), 'Invalid email format.');
  is((await page.requestCode(email, 'email')).message, 'OTP sent to your email address');
  const code = await codeTo(mail, email);
  const other = String((Number(code) + 1) % 1_000_000).padStart(6, '0');
  is(await said(page.verifyCode(email, '12')), 'Ensure this field has at least 6 characters.');
  // The one refusal whose sentence this client does not show.
  is(await said(page.verifyCode(email, other)), 'HTTP 400');
  const user = await page.verifyCode(email, code);
  is(user.email, email);
  is(user.full_name, email);
  is(page.cookies.has('refresh_token'), false);
  is(await said(page.verifyCode(email, code)), 'HTTP 400');
}

async function tellsAboutItself(page, is) {
  const update = (json) => page.request('PUT', 'profile/update/', USER, { json });
  is(await said(update({ first_name: 'A' })), 'First name must be at least 2 characters long.');
  is(await said(update({ phone: 'call me' })), 'Please enter a valid phone number.');
  const told = { first_name: 'Ada', last_name: 'Lovelace', company: '', position: 'Countess' };
  is((await update(told)).full_name, 'Ada Lovelace');
  const json = { company: 'Engines' };
  const user = await page.request('PATCH', 'profile/partial/', USER, { json });
  is(`${user.company} ${user.position} ${user.initials}`, 'Engines Countess AL');

  const form = new FormData();
  is(await said(page.upload(form)), 'HTTP 400');
  form.append('avatar', new Blob([GIF], { type: 'image/gif' }), 'me.gif');
  const { avatar } = await page.upload(form);
  const shown = await fetch(avatar);
  is(`${shown.status} ${shown.headers.get('content-type')}`, '200 image/jpeg');
  is((await page.profile()).avatar, avatar);
}

/** The page is opened now and then, for almost as long as its refresh token lives. */
async function comesBack(page, { advance, mail }, is) {
  const expired = 'Given token not valid for any token type';
  for (const pause of [16 * MINUTE, 0, 20 * MINUTE, DAY, 3 * DAY, 2 * DAY]) {
    await advance(pause);
    if (pause > 0) is(await said(page.profile()), expired);
    await Promise.all([page.refresh(), page.refresh(), page.refresh()]);
    is((await page.profile()).first_name, 'Ada');
  }
  await advance(DAY);
  is(await said(page.refresh()), 'Token is expired');
  page.logout();
  is(await said(page.profile()), 'Authentication credentials were not provided.');
  await page.requestCode('ada@example.com', 'email');
  const user = await page.verifyCode('ada@example.com', await codeTo(mail, 'ada@example.com'));
  is(user.full_name, 'Ada Lovelace');
}

async function signsInByPhone(page, { mail }, is) {
  const number = '+4915112345678';
  is((await page.requestCode(number, 'phone')).message, 'OTP sent to your phone number');
  const user = await page.verifyCode(number, await codeTo(mail, number));
  is(user.email.endsWith('@users.noreply.invalid'), true);
  // Ending the session for good is one call more.
  const json = { refresh: page.storage.get('refresh_token') };
  await page.request('POST', 'token/blacklist/', {}, { json });
  is(await said(page.refresh()), 'Token is blacklisted');
  is(await said(page.profile()), 'Given token not valid for any token type');
}

async function asksTooOften(page, is) {
  let last = '';
  for (let n = 0; n < 6; n += 1) last = await said(page.requestCode('eve@example.com', 'email'));
  is(/^Too many requests\. Try again in \d+ seconds\.$/.test(last), true);
}

/** What the documents of the contract's system do with a library for programs. */
async function isAProgram({ base, mail, advance }, is) {
  const email = 'charles@example.com';
  const call = async (method, path, fields, access) => {
    const headers = access ? { authorization: `Bearer ${access}` } : {};
    const body = fields && new URLSearchParams(fields);
    const answer = await fetch(`${base}/api/${path}`, { method, headers, body });
    return { status: answer.status, body: await answer.json() };
  };
  const post = (path, fields) => call('POST', path, fields);
  const source_url = 'https://myapp.com?utm_source=facebook&utm_campaign=spring';
  const question = { identifier: email, channel: 'email', source_url };
  const asked = await post('auth/otp/request/', question);
  is(JSON.stringify(asked.body), '{"success":true,"message":"OTP sent to email"}');
  const otp_code = await codeTo(mail, email);
  const wrong = await post('auth/otp/verify/', { identifier: email, otp_code: '000000' });
  is(`${wrong.status} ${wrong.body.success}`, '400 false');
  const { body } = await post('auth/otp/verify/', { identifier: email, otp_code, source_url });
  is(`${body.success} ${body.user.email} ${body.user.first_name}`, `true ${email} `);
  const { access, refresh } = body.tokens;

  const told = { first_name: 'Charles', bio: 'Engines', date_of_birth: '1791-12-26' };
  is((await call('PUT', 'profile/', told, access)).body.full_name, 'Charles');
  const { body: profile } = await call('GET', 'profile/', undefined, access);
  is(`${profile.email} ${profile.bio} ${profile.date_of_birth}`, `${email} Engines 1791-12-26`);

  // It puts its first refresh token into every call, too.
  for (const pause of [1, 16 * MINUTE, DAY]) {
    await advance(pause);
    const { body: next } = await post('auth/token/refresh/', { refresh });
    is((await call('GET', 'profile/', undefined, next.access)).status, 200);
  }
  is((await post('auth/logout/', { refresh })).body.detail, 'Logged out');
  is((await post('auth/token/refresh/', { refresh })).body.detail, 'Token is blacklisted');
}
