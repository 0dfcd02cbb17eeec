// A person at a provider, for clients without a browser: opens its page, types an address, presses
// a button, and goes where that leads.

const UNESCAPE = /&#(\d+);/g;

/** Goes there and back; gives the URL at which the browser leaves the provider. */
export async function visit(authorizationUrl, email, end = 'allow') {
  const { origin } = new URL(authorizationUrl);
  const cookies = new Map();
  const open = async (url, form) => {
    const init = { redirect: 'manual', method: form ? 'POST' : 'GET', body: form };
    const pairs = [...cookies].map((pair) => pair.join('='));
    const answer = await fetch(url, { ...init, headers: { cookie: pairs.join('; ') } });
    for (const line of answer.headers.getSetCookie()) {
      const [name, value] = line.split(';')[0].split('=');
      cookies.set(name, value);
    }
    const to = answer.headers.get('location');
    if (to === null) return { text: await answer.text(), status: answer.status };
    const next = new URL(to, url);
    return next.origin === origin ? open(next) : { left: next };
  };
  const { text, status } = await open(authorizationUrl);
  const [, action] = text.match(/<form method="post" action="([^"]*)"/) ?? [];
  if (action === undefined) throw new Error(`${authorizationUrl}: ${status} ${text}`);
  const form = new URLSearchParams({ email, end });
  for (const [, name, value] of text.matchAll(/type="hidden" name="([^"]*)" value="([^"]*)"/g)) {
    form.append(unescape(name), unescape(value));
  }
  const { left } = await open(new URL(unescape(action), origin), form);
  return left;
}

function unescape(text) {
  return text.replace(UNESCAPE, (_, point) => String.fromCodePoint(Number(point)));
}
