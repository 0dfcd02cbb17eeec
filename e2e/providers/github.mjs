// GitHub's dialect: errors of the token endpoint come with 200, and JSON only to who asks for it;
// the API wants a User-Agent; addresses are a second call, and only some of them are verified.

import { OAuth, start } from './oauth.mjs';
import { formOf, sendJson } from './page.mjs';

const HELP = 'https://docs.github.com/apps/oauth-apps/maintaining-oauth-apps';

const WRONG = {
  client: ['incorrect_client_credentials', 'The client_id or client_secret is incorrect.'],
  redirect_uri: ['redirect_uri_mismatch', 'The redirect_uri must match the registered one.'],
  code: ['bad_verification_code', 'The code passed is incorrect or expired.'],
  verifier: ['bad_verification_code', 'The code passed is incorrect or expired.'],
};

export async function startGithub(client) {
  const authorizePath = '/login/oauth/authorize';
  const oauth = new OAuth('GitHub', client, {
    authorizePath,
    fragment: '',
    denied: (state) => ({
      error: 'access_denied',
      error_description: 'The user has denied your application access.',
      error_uri: HELP,
      state,
    }),
    failed: (state) => ({
      error: 'application_suspended',
      error_description: 'Your application has been suspended.',
      error_uri: HELP,
      state,
    }),
  });
  const owner = (request, response) => {
    if (!request.headers['user-agent']) {
      sendJson(response, { message: 'Request forbidden by administrative rules.' }, 403);
      return null;
    }
    const found = oauth.owner(request);
    if (!found) sendJson(response, { message: 'Bad credentials' }, 401);
    return found;
  };
  const server = await start({
    [authorizePath]: (...call) => oauth.authorize(...call),

    async '/login/oauth/access_token'(request, response) {
      const { token, scope, wrong } = oauth.exchange(await formOf(request));
      const [error, error_description] = WRONG[wrong] ?? [];
      const answer = wrong
        ? { error, error_description, error_uri: HELP }
        : { access_token: token, token_type: 'bearer', scope: scope.replaceAll(' ', ',') };
      if ((request.headers.accept ?? '').includes('application/json')) {
        return sendJson(response, answer);
      }
      const type = { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' };
      return response.writeHead(200, type).end(new URLSearchParams(answer).toString());
    },

    '/user'(request, response) {
      const found = owner(request, response);
      if (!found) return;
      const { subject, login, name } = found.person;
      const avatar_url = `${server.origin}/avatars/${subject}`;
      const id = Number(subject);
      sendJson(response, { login, id, type: 'User', name, email: null, avatar_url });
    },

    '/user/emails'(request, response) {
      const found = owner(request, response);
      if (!found) return;
      if (!/\b(user:email|user)\b/.test(found.scope)) {
        sendJson(response, { message: 'Not Found' }, 404);
        return;
      }
      const { email, isVerified, login } = found.person;
      const other = `${login}@users.noreply.github.example`;
      sendJson(response, [
        { email: other, primary: false, verified: true, visibility: null },
        { email, primary: true, verified: isVerified, visibility: 'private' },
      ]);
    },
  });
  const { origin } = server;
  return {
    ...server,
    endpoints: {
      authorization_endpoint: origin + authorizePath,
      token_endpoint: `${origin}/login/oauth/access_token`,
      userinfo_endpoint: `${origin}/user`,
      emails_endpoint: `${origin}/user/emails`,
    },
  };
}
