// As much of a browser as a script of a page has to do with: its cookies, and the rules for calls
// to another origin (Fetch §3.2 and §4.8).

/** Headers that a page may send elsewhere without asking. */
const PLAIN_HEADERS = ['accept', 'accept-language', 'content-language', 'content-type'];
const PLAIN_KINDS = ['application/x-www-form-urlencoded', 'multipart/form-data', 'text/plain'];

/** A browser that shows a page of some origin. */
export class Browser {
  /** Other pages of the same browser share its cookies. */
  constructor(origin, cookies = new Map()) {
    Object.assign(this, { origin, cookies });
  }

  /** `fetch` with `credentials: 'include'`; `path` may go to another origin. */
  async fetch(path, init = {}) {
    const { method = 'GET' } = init;
    const url = new URL(path, this.origin);
    const headers = new Headers(init.headers);
    const isElsewhere = url.origin !== this.origin;
    if (isElsewhere) await this.#ask(url, method, headers);
    if (isElsewhere || !['GET', 'HEAD'].includes(method)) headers.set('origin', this.origin);
    headers.set('sec-fetch-site', site(url, new URL(this.origin)));
    const answer = await this.#send(url, { ...init, method, headers });
    if (isElsewhere) this.#expectGrant(answer, url);
    return answer;
  }

  /** Where requests really go, for front ends that pass them on to another server. */
  target(url) {
    return url;
  }

  async #send(url, init) {
    const target = this.target(url);
    const pairs = [...this.cookies].map(([name, value]) => `${name}=${value}`);
    if (pairs.length > 0) init.headers.set('cookie', pairs.join('; '));
    const answer = await fetch(target, { ...init, redirect: 'manual' });
    for (const line of answer.headers.getSetCookie()) this.#keep(line);
    return answer;
  }

  /** The question before the real call. */
  async #ask(url, method, headers) {
    const kind = (headers.get('content-type') ?? '').split(';')[0];
    const asked = [...headers.keys()].filter((name) => !PLAIN_HEADERS.includes(name));
    if (kind !== '' && !PLAIN_KINDS.includes(kind)) asked.push('content-type');
    if (asked.length === 0 && ['GET', 'HEAD', 'POST'].includes(method)) return;
    const question = new Headers({
      origin: this.origin,
      'sec-fetch-site': site(url, new URL(this.origin)),
      'access-control-request-method': method,
    });
    if (asked.length > 0) question.set('access-control-request-headers', asked.sort().join(','));
    const answer = await fetch(this.target(url), { method: 'OPTIONS', headers: question });
    if (!answer.ok) throw new TypeError(`preflight of ${method} ${url}: ${answer.status}`);
    this.#expectGrant(answer, url);
    const granted = (name) => (answer.headers.get(name) ?? '').toLowerCase().split(/, */);
    const methods = granted('access-control-allow-methods');
    if (!['get', 'head', 'post', ...methods].includes(method.toLowerCase())) {
      throw new TypeError(`${method} to ${url} is not allowed`);
    }
    for (const name of asked) {
      if (!granted('access-control-allow-headers').includes(name)) {
        throw new TypeError(`${name} to ${url} is not allowed`);
      }
    }
  }

  #expectGrant(answer, url) {
    const origin = answer.headers.get('access-control-allow-origin');
    const credentials = answer.headers.get('access-control-allow-credentials');
    if (origin !== this.origin || credentials !== 'true') {
      throw new TypeError(`CORS: ${url} does not answer ${this.origin}`);
    }
  }

  #keep(line) {
    const [pair, ...attributes] = line.split(/; */);
    const at = pair.indexOf('=');
    const [name, value] = [pair.slice(0, at), pair.slice(at + 1)];
    const isOver = attributes.some((one) => /^max-age=(0|-\d+)$/i.test(one));
    if (!attributes.some((one) => /^path=\/$/i.test(one))) throw new Error(`what path: ${line}`);
    if (isOver) this.cookies.delete(name);
    else this.cookies.set(name, value);
  }
}

/** What `Sec-Fetch-Site` says. */
function site(url, page) {
  if (url.origin === page.origin) return 'same-origin';
  const isSame = url.protocol === page.protocol && url.hostname === page.hostname;
  return isSame ? 'same-site' : 'cross-site';
}
