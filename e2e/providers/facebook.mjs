// Facebook's dialect: the token endpoint is a GET, no PKCE, `#_=_` behind every redirect, and an
// address about which nothing is said.

import { OAuth, start } from './oauth.mjs';
import { sendJson } from './page.mjs';

const WRONG = {
  client: [1, 'Error validating client secret.'],
  redirect_uri: [100, 'Error validating verification code: redirect_uri is not identical'],
  code: [100, 'This authorization code has been used.'],
  verifier: [100, 'Invalid code_verifier parameter'],
};

function sendError(response, code, message) {
  sendJson(response, { error: { message, type: 'OAuthException', code, fbtrace_id: 'A0' } }, 400);
}

export async function startFacebook(client) {
  const authorizePath = '/v17.0/dialog/oauth';
  const oauth = new OAuth('Facebook', client, {
    authorizePath,
    fragment: '#_=_',
    denied: (state) => ({
      error: 'access_denied',
      error_code: '200',
      error_description: 'Permissions error',
      error_reason: 'user_denied',
      state,
    }),
    failed: (state) => ({ error_code: '1349048', error_message: 'Can not load URL', state }),
  });
  const server = await start({
    [authorizePath]: (...call) => oauth.authorize(...call),

    '/v17.0/oauth/access_token'(request, response, url) {
      if (request.method !== 'GET') return sendError(response, 100, 'Unsupported request');
      if (url.searchParams.has('code_verifier')) {
        return sendError(response, 100, 'Invalid parameter: code_verifier');
      }
      const { token, wrong } = oauth.exchange(url.searchParams);
      if (wrong) return sendError(response, ...WRONG[wrong]);
      return sendJson(response, { access_token: token, token_type: 'bearer', expires_in: 5_183_944 });
    },

    '/me'(request, response, url) {
      const found = oauth.owner(request, url.searchParams.get('access_token'));
      if (!found) return sendError(response, 190, 'Invalid OAuth access token.');
      const { subject: id, name, email } = found.person;
      const all = { id, name, ...(found.scope.includes('email') ? { email } : {}) };
      const fields = (url.searchParams.get('fields') ?? 'id,name').split(',');
      const told = Object.entries(all).filter(([key]) => key === 'id' || fields.includes(key));
      return sendJson(response, Object.fromEntries(told));
    },
  });
  const { origin } = server;
  return {
    ...server,
    endpoints: {
      authorization_endpoint: origin + authorizePath,
      token_endpoint: `${origin}/v17.0/oauth/access_token`,
      userinfo_endpoint: `${origin}/me`,
    },
  };
}
