// Every provider, on this machine, and the configuration by which a server knows them.

import { startFacebook } from './facebook.mjs';
import { startGithub } from './github.mjs';
import { startLinkedin } from './linkedin.mjs';
import { startGeneric, startGoogle } from './oidc.mjs';

/** Where the contract's front end receives codes. */
export const FRONT_END = 'http://127.0.0.1:5173/oauth/callback';

/** By their names: which kind, who starts it, and what else is configured. */
const KINDS = {
  google: ['google', startGoogle, {}],
  github: ['github', startGithub, {}],
  facebook: ['facebook', startFacebook, {}],
  // As the contract has it; without these scopes LinkedIn's newer dialect is spoken.
  linkedin: ['linkedin', startLinkedin, { scopes: ['r_liteprofile', 'r_emailaddress'] }],
  generic: ['oidc', startGeneric, { title: 'Our own issuer' }],
};

/** Starts them all for a server that will be at `base`. */
export async function startProviders(base) {
  const providers = {};
  for (const [name, [kind, start, more]] of Object.entries(KINDS)) {
    const client = {
      id: `ironlatch-at-${name}`,
      secret: `the secret of ${name}, 4711`,
      redirectUris: [`${base}/api/auth/social/${name}/callback`, FRONT_END],
    };
    providers[name] = { kind, client, more, ...(await start(client)) };
  }
  return {
    providers,
    config: Object.entries(providers).map(section).join('\n'),
    stop: () => Object.values(providers).forEach(({ stop }) => stop()),
  };
}

function section([name, { kind, client, more, endpoints }]) {
  const settings = {
    kind,
    client_id: client.id,
    client_secret: client.secret,
    redirect_uri: FRONT_END,
    ...endpoints,
    ...more,
  };
  const lines = Object.entries(settings).map(([key, value]) => `${key} = ${JSON.stringify(value)}`);
  return [`[social.${name}]`, ...lines, 'allow_private_addresses = true', ''].join('\n');
}
