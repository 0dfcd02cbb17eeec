// The people whom every provider here knows: whoever types an address is its owner, always the
// same person. An address that begins with `unverified` was never proven there.

import { createHash } from 'node:crypto';

/** Who an address belongs to at a provider. */
export function personOf(email, provider) {
  const digest = createHash('sha256').update(`${provider} ${email}`).digest();
  const name = email.split('@')[0];
  return {
    // Decimal digits, as Google, GitHub and Facebook number their people.
    subject: String(digest.readUIntBE(0, 6)),
    email,
    isVerified: !email.startsWith('unverified'),
    login: name,
    name: name[0].toUpperCase() + name.slice(1),
  };
}
