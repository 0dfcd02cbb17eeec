// What every provider here shows, and the little of HTTP that they share.

import { createServer } from 'node:http';

const escape = (text) => text.replace(/[&<>"']/g, (one) => `&#${one.codePointAt(0)};`);

/** Asks who it is; three buttons say how it ends. */
export function signInPage(title, action, hidden = {}) {
  const fields = Object.entries(hidden).map(
    ([name, value]) => `<input type="hidden" name="${escape(name)}" value="${escape(value)}">`,
  );
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<link rel="icon" href="data:,">
<title>${escape(title)}</title>
<h1>${escape(title)}</h1>
<form method="post" action="${escape(action)}">
${fields.join('\n')}
<label>E-mail <input name="email" type="email" autocomplete="off"></label>
<button name="end" value="allow">Continue</button>
<button name="end" value="deny">Cancel</button>
<button name="end" value="fail">Break</button>
</form>
</html>
`;
}

/** A server on a free port of this machine; who answers may be said later. */
export async function listen() {
  let answer = null;
  const server = createServer((request, response) => {
    Promise.resolve(answer(request, response)).catch((error) => {
      console.log(`a provider failed: ${error.stack}`);
      response.writeHead(500).end();
    });
  });
  server.listen(0, '127.0.0.1');
  await new Promise((done) => server.once('listening', done));
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    answerWith: (other) => {
      answer = other;
    },
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** A form that was sent. */
export async function formOf(request) {
  let text = '';
  for await (const part of request.setEncoding('utf8')) text += part;
  return new URLSearchParams(text);
}

export function sendPage(response, text, status = 200) {
  response.writeHead(status, { 'content-type': 'text/html; charset=utf-8' }).end(text);
}

export function sendJson(response, value, status = 200) {
  const type = { 'content-type': 'application/json; charset=utf-8' };
  response.writeHead(status, type).end(JSON.stringify(value));
}

/** Sends the browser to a URL with more parameters, those without a value left out. */
export function redirect(response, target, parameters, fragment = '') {
  const url = new URL(target);
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== null && value !== undefined) url.searchParams.append(name, value);
  }
  response.writeHead(302, { location: url.href + fragment }).end();
}
