// The hosted pages in a browser, used as a person does.

import assert from 'node:assert/strict';
import { appOf } from './authenticator.mjs';
import { PASSWORD } from './world.mjs';

const OTHER_PASSWORD = 'fünfzehn Igel im Schnee';

/** One network may sign up a few times an hour. */
export const PAUSE = 3_601;

export const CHECKS = {
  async 'the browser that signed up confirms with one click'(world) {
    const { person, email, link } = await world.signUp();
    await person.open(link);
    assert.doesNotMatch(person.page.url(), /token/, 'the token leaves the address bar');
    assert.equal(await person.heading(), 'Confirm your e-mail address');
    await person.shot('confirm');
    await person.press('Confirm');
    assert.equal(await person.heading(), 'Your address is confirmed');
    await person.shot('confirmed');
    const { body } = await world.login(email, PASSWORD);
    assert.equal(body.user.email_verified, true);
  },

  async 'mail scanners that open the link consume nothing'(world) {
    const { person, email, link } = await world.signUp();
    const scanner = await world.person();
    for (const method of ['get', 'head', 'get']) await scanner.context.request[method](link);
    await scanner.open(link);
    const { body } = await world.login(email, PASSWORD);
    assert.equal(body.user.email_verified, false);
    await person.open(link);
    await person.press('Confirm');
    assert.equal(await person.heading(), 'Your address is confirmed');
  },

  async 'another browser confirms with the password'(world) {
    const { email, link } = await world.signUp();
    const other = await world.person();
    await other.open(link);
    assert.equal(await other.heading(), 'Is this account yours?');
    await other.shot('elsewhere');
    await other.fill('Password', 'not the password');
    await other.press('Confirm');
    assert.equal(await other.page.getByRole('alert').innerText(), 'The password is not right.');
    await other.shot('elsewhere-wrong');
    await other.fill('Password', PASSWORD);
    await other.press('Confirm');
    assert.equal(await other.heading(), 'Your address is confirmed');
    const { body } = await world.login(email, PASSWORD);
    assert.equal(body.user.email_verified, true);
  },

  async 'this was me: another browser confirms with a new password'(world) {
    const { person, email, link } = await world.signUp();
    const before = await person.post('/api/auth/login/', { email, password: PASSWORD });
    assert.equal(before.status(), 200);
    const other = await world.person();
    await other.open(link);
    await other.fill('New password', OTHER_PASSWORD);
    await other.press('Set password and confirm');
    assert.equal(await other.heading(), 'Your address is confirmed');
    assert.equal((await world.login(email, PASSWORD)).status, 400, 'the old password is gone');
    assert.equal((await world.login(email, OTHER_PASSWORD)).status, 200);
    const refreshed = await person.post('/api/auth/token/refresh/');
    assert.equal(refreshed.status(), 401, 'whoever was signed in is signed out');
  },

  async 'this was not me: the account is closed'(world) {
    const { email, link } = await world.signUp();
    const owner = await world.person();
    await owner.open(link);
    await owner.press('Close the account …');
    assert.equal(await owner.heading(), 'Close the account?');
    await owner.shot('close');
    await owner.press('Yes, it was not me: close it');
    assert.equal(await owner.heading(), 'The account is closed');
    await owner.shot('closed');
    assert.equal((await world.login(email, PASSWORD)).status, 400);
  },

  async 'a forgotten password is replaced through the mailed page'(world) {
    const { person, email } = await world.signUp();
    await person.post('/api/auth/login/', { email, password: PASSWORD });
    const asked = await person.post('/api/auth/password/forgot/', { email });
    assert.ok(asked.ok(), await asked.text());
    const link = await world.link(email, 2);
    await person.open(link);
    assert.doesNotMatch(person.page.url(), /token/, 'the token leaves the address bar');
    assert.equal(await person.heading(), 'Choose a new password');
    await person.shot('reset');
    await person.fill('New password', OTHER_PASSWORD);
    await person.press('Change password');
    await person.shot('reset-done');
    assert.equal((await world.login(email, PASSWORD)).status, 400);
    assert.equal((await world.login(email, OTHER_PASSWORD)).status, 200);
    const refreshed = await person.post('/api/auth/token/refresh/');
    assert.equal(refreshed.status(), 401, 'sessions end with the old password');
    await person.open(link);
    assert.equal(await person.heading(), 'This link does not work');
    await person.shot('reset-again');
  },

  async 'a new address is confirmed on its page and taken back from the old one'(world) {
    const { person, email, link } = await world.signUp();
    await person.open(link);
    await person.press('Confirm');
    const next = `next-${email}`;
    const login = await person.post('/api/auth/login/', { email, password: PASSWORD });
    const headers = { authorization: `Bearer ${(await login.json()).access}` };
    const ask = (data) =>
      person.context.request.post(`${world.base}/api/auth/email/change`, { data, headers });
    const asked = await ask({ email: next });
    assert.ok(asked.ok(), await asked.text());

    const other = await world.person();
    const mailed = await world.link(next);
    await other.open(mailed);
    assert.doesNotMatch(other.page.url(), /token/, 'the token leaves the address bar');
    assert.equal(await other.heading(), 'Confirm your new address');
    await other.shot('new-address');
    await other.press('Yes, this is my account: confirm');
    assert.equal(await other.heading(), 'Your new address is confirmed');
    await other.shot('new-address-confirmed');
    assert.equal((await world.login(next, PASSWORD)).status, 200);
    assert.equal((await world.login(email, PASSWORD)).status, 400);
    await other.open(mailed);
    assert.equal(await other.heading(), 'This link does not work');
    await other.shot('new-address-again');

    const undo = await world.link(email, 3);
    await other.open(undo);
    assert.doesNotMatch(other.page.url(), /token/, 'the token leaves the address bar');
    assert.equal(await other.heading(), 'Take the change back?');
    await other.shot('undo');
    await other.page.setViewportSize({ width: 320, height: 640 });
    await other.shot('undo-small');
    await other.press('It was not me: take it back');
    assert.equal(await other.heading(), 'The change is taken back');
    await other.shot('undone');
    assert.equal((await ask({ email: next })).status(), 401, 'everybody is signed out');
    assert.equal((await world.login(email, PASSWORD)).status, 400, 'the password is gone');
    await other.open(await world.link(email, 4));
    await other.fill('New password', OTHER_PASSWORD);
    await other.press('Change password');
    assert.equal((await world.login(email, OTHER_PASSWORD)).status, 200);
    await other.open(undo);
    assert.equal(await other.heading(), 'This link does not work');
    await other.shot('undo-again');
  },

  async 'a number is added with a code and taken back from the mailbox'(world) {
    const { person, email, link } = await world.signUp();
    await person.open(link);
    await person.press('Confirm');
    const login = await person.post('/api/auth/login/', { email, password: PASSWORD });
    const headers = { authorization: `Bearer ${(await login.json()).access}` };
    const post = (path, data) =>
      person.context.request.post(`${world.base}/api/auth/phone/${path}`, { data, headers });
    const phone = `+4915${world.mode === 'scripts' ? 1 : 2}20000001`;
    const asked = await post('change', { phone });
    assert.ok(asked.ok(), await asked.text());
    const code = await world.code(phone);
    const confirmed = await post('confirm', { phone, code });
    assert.ok(confirmed.ok(), await confirmed.text());
    await person.open(await world.link(email, 3));
    assert.equal(await person.heading(), 'Take the change back?');
    await person.shot('undo-phone');
    await person.press('It was not me: take it back');
    assert.equal(await person.heading(), 'The change is taken back');
  },

  async 'a new address that somebody claims or has proven is said to be so'(world) {
    const { person, email, link } = await world.signUp();
    await person.open(link);
    await person.press('Confirm');
    const claimed = await world.signUp();
    const login = await person.post('/api/auth/login/', { email, password: PASSWORD });
    const headers = { authorization: `Bearer ${(await login.json()).access}` };
    const data = { email: claimed.email };
    const url = `${world.base}/api/auth/email/change`;
    assert.ok((await person.context.request.post(url, { data, headers })).ok());
    await person.open(await world.link(claimed.email, 2));
    assert.match(await person.page.locator('main').innerText(), /never confirmed/);
    await person.shot('new-address-claimed');
    await claimed.person.open(claimed.link);
    await claimed.person.press('Confirm');
    await person.press('Yes, this is my account: confirm');
    assert.equal(await person.heading(), 'This address is taken');
    await person.shot('new-address-taken');
  },

  async 'the link beside a code signs in the browser that asked, by a click'(world) {
    const person = await world.person();
    const email = `link-${world.mode}@example.com`;
    const asked = await person.post('/api/auth/otp/request', { identifier: email });
    assert.equal(asked.status(), 200, await asked.text());
    const link = await world.link(email);

    const scanner = await world.person();
    const opened = await scanner.open(link);
    assert.equal(opened.status(), 403);
    assert.equal(await scanner.heading(), 'This link belongs to another browser');
    await scanner.shot('sign-in-elsewhere');

    for (let times = 0; times < 20; times += 1) await person.open(link);
    assert.doesNotMatch(person.page.url(), /token/, 'the token leaves the address bar');
    assert.equal(await person.heading(), 'Sign in');
    await person.shot('sign-in');
    await person.press('Sign in');
    assert.equal(await person.heading(), 'You are signed in');
    await person.shot('signed-in');
    const refreshed = await person.post('/api/auth/token/refresh/');
    assert.equal(refreshed.status(), 200, await refreshed.text());
    await person.open(link);
    assert.equal(await person.heading(), 'This link does not work');
    await person.shot('sign-in-again');
  },

  async 'the link beside a code asks for the app as well'(world) {
    const { person, email, link } = await world.signUp();
    await person.open(link);
    await person.press('Confirm');
    const login = await person.post('/api/auth/login/', { email, password: PASSWORD });
    const headers = { authorization: `Bearer ${(await login.json()).access}` };
    const call = (path, data) =>
      person.context.request.post(`${world.base}/api/auth/2fa/${path}`, { data, headers });
    const begun = await (await call('totp')).json();
    const app = appOf(begun.secret);
    const code = () => app(world.now());
    const confirmed = await call('totp/confirm', { code: code() });
    assert.ok(confirmed.ok(), await confirmed.text());

    await world.advance(30);
    await person.post('/api/auth/otp/request', { identifier: email });
    await person.open(await world.link(email, 4));
    await person.press('Sign in');
    assert.equal(await person.heading(), 'One more step');
    await person.shot('second-step');
    await person.fill('Code', '000000');
    await person.press('Sign in');
    assert.match(await person.page.getByRole('alert').innerText(), /not right/);
    await person.shot('second-step-wrong');
    await person.fill('Code', code());
    await person.press('Sign in');
    assert.equal(await person.heading(), 'You are signed in');
  },

  async 'an expired link leads to a new one'(world) {
    const { person, email, link } = await world.signUp();
    await world.advance(25 * 3_600);
    await person.open(link);
    assert.equal(await person.heading(), 'This link does not work');
    await person.shot('expired');
    await person.fill('E-mail address', email);
    await person.press('Send a new link');
    await person.open(await world.link(email, 2));
    // The mark of "signed up here" lived as long as the first link.
    assert.equal(await person.heading(), 'Is this account yours?');
    await person.fill('Password', PASSWORD);
    await person.press('Confirm');
    assert.equal(await person.heading(), 'Your address is confirmed');
  },

  async 'a small screen shows the pages without scrolling sideways'(world) {
    const { link } = await world.signUp();
    const person = await world.person();
    await person.open(link);
    await person.page.setViewportSize({ width: 320, height: 640 });
    await person.shot('small');
    const box = await person.page.locator('main').boundingBox();
    assert.ok(box.x >= 0 && box.x + box.width <= 320, `main is ${box.width} wide`);
  },

  async 'the development inbox shows the mail'(world) {
    const { email } = await world.signUp();
    const person = await world.person();
    await person.open('/dev/inbox');
    assert.match(await person.page.locator('body').innerText(), new RegExp(email));
    await person.shot('inbox');
  },

  async 'the reference at /docs opens'(world) {
    const person = await world.person();
    const answer = await person.open('/docs');
    assert.equal(answer.status(), 200);
    await person.shot('docs');
  },
};
