// LinkedIn's dialect of `/v2/me` and `/v2/emailAddress`: a form to the token endpoint, its own
// words for a person who said no, and an address about which nothing is said.

import { OAuth, start } from './oauth.mjs';
import { formOf, sendJson } from './page.mjs';

const WRONG = {
  client: [401, 'invalid_client', 'Client authentication failed'],
  redirect_uri: [400, 'invalid_redirect_uri', 'Redirect URI does not match'],
  code: [400, 'invalid_request', 'Authorization code not found'],
  verifier: [400, 'invalid_request', 'Code verifier does not match'],
};

export async function startLinkedin(client) {
  const authorizePath = '/oauth/v2/authorization';
  const oauth = new OAuth('LinkedIn', client, {
    authorizePath,
    fragment: '',
    denied: (state) => ({
      error: 'user_cancelled_authorize',
      error_description: 'The user cancelled the authorization',
      state,
    }),
    failed: (state) => ({
      error: 'unauthorized_scope_error',
      error_description: 'Scope "r_emailaddress" is not authorized for your application',
      state,
    }),
  });
  const owner = (request, response, scope) => {
    const found = oauth.owner(request);
    const message = found ? 'Not enough permissions to access' : 'Invalid access token';
    const status = found ? 403 : 401;
    if (found?.scope.split(' ').includes(scope)) return found.person;
    sendJson(response, { serviceErrorCode: 65_600, message, status }, status);
    return null;
  };
  const server = await start({
    [authorizePath]: (...call) => oauth.authorize(...call),

    async '/oauth/v2/accessToken'(request, response) {
      const form = await formOf(request);
      const isGrant = form.get('grant_type') === 'authorization_code';
      const { token, scope, wrong } = isGrant ? oauth.exchange(form) : { wrong: 'code' };
      if (wrong) {
        const [status, error, error_description] = WRONG[wrong];
        return sendJson(response, { error, error_description }, status);
      }
      return sendJson(response, { access_token: token, expires_in: 5_184_000, scope });
    },

    '/v2/me'(request, response) {
      const person = owner(request, response, 'r_liteprofile');
      if (!person) return;
      const { subject, name } = person;
      const localized = { en_US: name };
      const preferredLocale = { country: 'US', language: 'en' };
      sendJson(response, {
        id: `u${subject}`,
        localizedFirstName: name,
        localizedLastName: 'Tester',
        firstName: { localized, preferredLocale },
      });
    },

    '/v2/emailAddress'(request, response, url) {
      const person = owner(request, response, 'r_emailaddress');
      if (!person) return;
      const asked = url.searchParams;
      if (asked.get('q') !== 'members' || asked.get('projection') !== '(elements*(handle~))') {
        sendJson(response, { message: 'Query parameters are not valid', status: 400 }, 400);
        return;
      }
      const handle = { emailAddress: person.email };
      const element = { handle: 'urn:li:emailAddress:1', 'handle~': handle };
      sendJson(response, { elements: [element] });
    },
  });
  const { origin } = server;
  return {
    ...server,
    endpoints: {
      authorization_endpoint: origin + authorizePath,
      token_endpoint: `${origin}/oauth/v2/accessToken`,
      userinfo_endpoint: `${origin}/v2/me`,
      emails_endpoint: `${origin}/v2/emailAddress`,
    },
  };
}
