// OpenID providers: npm's `oidc-provider` twice, once with the paths and claims of Google, once as
// any issuer that follows OpenID Connect to the letter.

import { generateKeyPairSync } from 'node:crypto';
import { Provider, interactionPolicy } from 'oidc-provider';
import { formOf, listen, sendPage, signInPage } from './page.mjs';
import { personOf } from './people.mjs';

const HOUR = 3_600;

/** As Google: its paths, the address in the ID token, RS256, the account asked for every time. */
export function startGoogle(client) {
  const policy = interactionPolicy.base();
  policy.add(new interactionPolicy.Prompt({ name: 'select_account', requestable: true }), 0);
  return startIssuer('Google', client, {
    interactions: policy,
    conformIdTokenClaims: false,
    kind: ['rsa', { modulusLength: 2048 }, 'RS256'],
    auth: 'client_secret_post',
    routes: {
      authorization: '/o/oauth2/v2/auth',
      token: '/token',
      userinfo: '/v1/userinfo',
      jwks: '/oauth2/v3/certs',
    },
  });
}

/** As any other: found by discovery, claims of a scope at the UserInfo endpoint only (OIDC §5.4). */
export function startGeneric(client) {
  return startIssuer('Generic', client, {
    interactions: interactionPolicy.base(),
    conformIdTokenClaims: true,
    kind: ['ec', { namedCurve: 'P-256' }, 'ES256'],
    auth: 'client_secret_basic',
    routes: {},
  });
}

/** What is told of a person, of whom only the subject is known to the package. */
function accountOf({ subject, name, email, isVerified }) {
  return {
    accountId: subject,
    claims: () => ({
      sub: subject,
      name,
      given_name: name,
      picture: 'https://lh3.example/a/photo',
      email,
      email_verified: isVerified,
    }),
  };
}

async function startIssuer(name, client, dialect) {
  const { interactions, conformIdTokenClaims, kind, auth, routes } = dialect;
  const server = await listen();
  const [type, options, alg] = kind;
  const people = new Map();
  const key = generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' });
  const provider = new Provider(server.origin, {
    clients: [
      {
        client_id: client.id,
        client_secret: client.secret,
        redirect_uris: client.redirectUris,
        token_endpoint_auth_method: auth,
        id_token_signed_response_alg: alg,
      },
    ],
    jwks: { keys: [{ ...key, alg, use: 'sig', kid: `${name}-1` }] },
    cookies: { keys: ['not a secret'] },
    claims: {
      openid: ['sub'],
      profile: ['name', 'given_name', 'picture'],
      email: ['email', 'email_verified'],
    },
    conformIdTokenClaims,
    features: { devInteractions: { enabled: false } },
    findAccount: (_context, subject) => accountOf(people.get(subject)),
    interactions: { policy: interactions, url: (_context, { uid }) => `/interaction/${uid}` },
    pkce: { required: () => true },
    routes,
    ttl: { AccessToken: HOUR, Grant: HOUR, IdToken: HOUR, Interaction: HOUR, Session: HOUR },
  });
  const signIn = (email) => {
    const person = personOf(email, name);
    people.set(person.subject, person);
    return person.subject;
  };
  const rest = provider.callback();
  server.answerWith((request, response) => {
    if (request.url.startsWith('/interaction/')) {
      return interact({ provider, name, signIn }, request, response);
    }
    return rest(request, response);
  });
  const paths = {
    authorization_endpoint: routes.authorization,
    token_endpoint: routes.token,
    userinfo_endpoint: routes.userinfo,
    jwks_uri: routes.jwks,
  };
  const given = Object.entries(paths).filter(([, path]) => path);
  const endpoints = Object.fromEntries(given.map(([key, path]) => [key, server.origin + path]));
  return { ...server, endpoints: { issuer: server.origin, ...endpoints } };
}

/** Signing in and consenting are one page. */
async function interact({ provider, name, signIn }, request, response) {
  const { uid, params } = await provider.interactionDetails(request, response);
  if (request.method === 'GET') {
    return sendPage(response, signInPage(`Sign in to ${name}`, `/interaction/${uid}`));
  }
  const form = await formOf(request);
  const finish = (result) =>
    provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
  if (form.get('end') === 'deny') {
    return finish({ error: 'access_denied', error_description: 'The person said no' });
  }
  if (form.get('end') === 'fail') {
    return finish({ error: 'server_error', error_description: 'Something broke' });
  }
  const accountId = signIn(form.get('email'));
  const grant = new provider.Grant({ accountId, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  const login = { accountId };
  return finish({ login, select_account: {}, consent: { grantId: await grant.save() } });
}
