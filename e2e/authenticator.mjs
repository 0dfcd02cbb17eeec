// An authenticator app: reads the secret off the picture and shows a code for every 30 seconds
// (RFC 6238), as apps do that know SHA-1 and six digits alone.

import { createHmac } from 'node:crypto';
import { readQr } from './qr.mjs';

/** Scans a picture; gives what it says, and the code for a moment in seconds. */
export function scan(picture) {
  const uri = new URL(readQr(picture));
  return { uri, code: appOf(uri.searchParams.get('secret')) };
}

/** The code for a moment in seconds, of a secret as it is typed in. */
export function appOf(typed) {
  const secret = base32(typed);
  return (seconds) => codeOf(secret, Math.floor(seconds / 30));
}

function base32(text) {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  const bits = [...text].map((letter) => letters.indexOf(letter).toString(2).padStart(5, '0'));
  return Buffer.from(bits.join('').match(/.{8}/g).map((byte) => Number.parseInt(byte, 2)));
}

function codeOf(secret, step) {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const mac = createHmac('sha1', secret).update(counter).digest();
  const value = mac.readUInt32BE(mac[19] & 15) & 0x7fffffff;
  return String(value % 1_000_000).padStart(6, '0');
}
