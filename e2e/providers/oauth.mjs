// An OAuth 2.0 provider without OpenID Connect, as far as GitHub, Facebook and LinkedIn agree;
// each of them says the rest in its own words.

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { formOf, listen, redirect, sendPage, signInPage } from './page.mjs';
import { personOf } from './people.mjs';

const TEN_MINUTES = 600_000;

/** Codes and tokens of one provider, and its page. */
export class OAuth {
  #codes = new Map();
  #tokens = new Map();

  /**
   * `client` is `{ id, secret, redirectUris }`; `words` are the dialect's:
   *   authorizePath   where its page is
   *   denied(state)   what it adds to the redirect when the person says no
   *   failed(state)   the same when it fails itself
   *   fragment        what it appends to every redirect
   */
  constructor(name, client, words) {
    Object.assign(this, { name, client, words });
  }

  /** The page (GET), and what its buttons do (POST). */
  async authorize(request, response, url) {
    const { client, words } = this;
    if (request.method === 'GET') {
      const asked = Object.fromEntries(url.searchParams);
      const known = client.redirectUris.includes(asked.redirect_uri);
      if (asked.client_id !== client.id || !known) {
        return sendPage(response, 'No such client, or a foreign redirect_uri', 400);
      }
      return sendPage(response, signInPage(`Sign in to ${this.name}`, words.authorizePath, asked));
    }
    const form = await formOf(request);
    const target = form.get('redirect_uri');
    const state = form.get('state');
    const send = (more) => redirect(response, target, more, words.fragment);
    if (form.get('end') === 'deny') return send(words.denied(state));
    if (form.get('end') === 'fail') return send(words.failed(state));
    const code = randomBytes(16).toString('hex');
    this.#codes.set(code, {
      person: personOf(form.get('email'), this.name),
      target,
      scope: form.get('scope') ?? '',
      challenge: form.get('code_challenge'),
      method: form.get('code_challenge_method') ?? 'plain',
      until: Date.now() + TEN_MINUTES,
    });
    return send({ code, state });
  }

  /** What a code is worth: a token, or the name of what is wrong. A code is looked at once. */
  exchange(asked) {
    const { client } = this;
    const secret = Buffer.from(asked.get('client_secret') ?? '');
    const own = Buffer.from(client.secret);
    const isOwn = secret.length === own.length && timingSafeEqual(secret, own);
    if (asked.get('client_id') !== client.id || !isOwn) return { wrong: 'client' };
    const found = this.#codes.get(asked.get('code'));
    this.#codes.delete(asked.get('code'));
    if (!found || found.until < Date.now()) return { wrong: 'code' };
    if (found.target !== asked.get('redirect_uri')) return { wrong: 'redirect_uri' };
    if (!fits(found, asked.get('code_verifier'))) return { wrong: 'verifier' };
    const token = randomBytes(20).toString('hex');
    this.#tokens.set(token, found);
    return { token, scope: found.scope };
  }

  /** Whose token a request brings, and what it may be used for; some take it as a parameter. */
  owner(request, parameter = null) {
    const [, bearer] = (request.headers.authorization ?? '').match(/^bearer (\S+)$/i) ?? [];
    return this.#tokens.get(bearer ?? parameter) ?? null;
  }
}

/** RFC 7636 §4.6; without a challenge there is nothing to prove. */
function fits({ challenge, method }, verifier) {
  if (challenge === null) return true;
  if (verifier === null || method !== 'S256') return false;
  return createHash('sha256').update(verifier).digest('base64url') === challenge;
}

/** Starts a provider whose paths are the keys of `routes`. */
export async function start(routes) {
  const server = await listen();
  server.answerWith((request, response) => {
    const url = new URL(request.url, server.origin);
    const route = routes[url.pathname];
    if (!route) return sendPage(response, 'Not found', 404);
    return route(request, response, url);
  });
  return server;
}
