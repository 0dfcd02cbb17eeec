// Reads the QR codes that the server draws (ISO/IEC 18004), as an authenticator app does with its
// camera. The picture is exact, so that nothing needs to be corrected.

import { inflateSync } from 'node:zlib';

/** The text in a `data:` URL of a PNG. */
export function readQr(url) {
  const start = 'data:image/png;base64,';
  if (!url.startsWith(start)) throw new Error(`no picture: ${url.slice(0, 40)}`);
  const isDark = modules(pixels(Buffer.from(url.slice(start.length), 'base64')));
  return text(codewords(isDark), (isDark.size - 17) / 4);
}

/** The rows of a PNG with one bit a pixel, as rows of booleans: dark or not. */
function pixels(file) {
  const parts = [];
  let [width, height] = [0, 0];
  for (let at = 8; at < file.length; at += 12 + file.readUInt32BE(at)) {
    const kind = file.toString('latin1', at + 4, at + 8);
    const data = file.subarray(at + 8, at + 8 + file.readUInt32BE(at));
    if (kind === 'IHDR') {
      [width, height] = [data.readUInt32BE(0), data.readUInt32BE(4)];
      const form = `${data[8]}/${data[9]}/${data[12]}`;
      if (form !== '1/0/0') throw new Error(`not black and white: ${form}`);
    }
    if (kind === 'IDAT') parts.push(data);
  }
  const raw = inflateSync(Buffer.concat(parts));
  const stride = Math.ceil(width / 8);
  let before = Buffer.alloc(stride);
  return Array.from({ length: height }, (_, y) => {
    const at = y * (stride + 1);
    before = unfiltered(raw[at], raw.subarray(at + 1, at + 1 + stride), before);
    return Array.from({ length: width }, (_, x) => ((before[x >> 3] >> (7 - (x & 7))) & 1) === 0);
  });
}

/** A scan line without its filter (RFC 2083 §6). */
function unfiltered(filter, line, above) {
  const out = Buffer.alloc(line.length);
  line.forEach((byte, i) => {
    const [a, b, c] = [i > 0 ? out[i - 1] : 0, above[i], i > 0 ? above[i - 1] : 0];
    const near = [a, b, c].map((it) => Math.abs(a + b - c - it));
    const least = Math.min(...near);
    const paeth = [a, b, c][near.indexOf(least)];
    out[i] = byte + [0, a, b, (a + b) >> 1, paeth][filter];
  });
  return out;
}

/** Whether the module in a column and a row is dark, and how many of them a side has. */
function modules(rows) {
  const top = rows.findIndex((row) => row.includes(true));
  const left = rows[top].indexOf(true);
  const finder = rows[top].indexOf(false, left) - left;
  const scale = finder / 7;
  const size = (rows[top].lastIndexOf(true) + 1 - left) / scale;
  if ((size - 17) % 4 !== 0) throw new Error(`no code has ${size} modules a side`);
  const middle = (at) => Math.floor((at + 0.5) * scale);
  const isDark = (x, y) => rows[top + middle(y)][left + middle(x)];
  return Object.assign(isDark, { size });
}

const MASKS = [
  (x, y) => (x + y) % 2,
  (x, y) => y % 2,
  (x) => x % 3,
  (x, y) => (x + y) % 3,
  (x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2,
  (x, y) => ((x * y) % 2) + ((x * y) % 3),
  (x, y) => (((x * y) % 2) + ((x * y) % 3)) % 2,
  (x, y) => (((x + y) % 2) + ((x * y) % 3)) % 2,
];
/** Of level M, by version: codewords of correction in a block, and blocks. */
const CORRECTION = [10, 16, 26, 18, 24, 16, 18, 22, 22, 26, 30, 22, 22, 24, 24];
const BLOCKS = [1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8, 9, 9, 10];

/** The bytes of the data, in order. */
function codewords(isDark) {
  const { size } = isDark;
  const version = (size - 17) / 4;
  if (!(version <= BLOCKS.length)) throw new Error(`version ${version} is unknown here`);
  let format = 0;
  for (let bit = 14; bit >= 0; bit -= 1) {
    const at = bit < 6 ? [8, bit] : bit < 8 ? [8, bit + 1] : bit < 9 ? [7, 8] : [14 - bit, 8];
    format = (format << 1) | isDark(...at);
  }
  format = (format ^ 0x5412) >> 10;
  if (format >> 3 !== 0) throw new Error('not of level M');
  const bits = [];
  const mask = MASKS[format & 7];
  for (const [x, y] of path(size, version)) bits.push(isDark(x, y) !== (mask(x, y) === 0));
  const bytes = [];
  for (let at = 0; at + 8 <= bits.length; at += 8) {
    bytes.push(bits.slice(at, at + 8).reduce((byte, bit) => (byte << 1) | bit, 0));
  }
  return joined(bytes, BLOCKS[version - 1], CORRECTION[version - 1]);
}

/** The places of the data, from the lower right corner in columns of two, up and down. */
function* path(size, version) {
  const centres = [];
  if (version > 1) {
    const count = Math.floor(version / 7) + 2;
    const step = Math.ceil((version * 4 + 4) / (count * 2 - 2)) * 2;
    for (let at = size - 7; centres.length < count - 1; at -= step) centres.unshift(at);
    centres.unshift(6);
  }
  const last = centres.length - 1;
  const isCorner = (i, j) => [[0, 0], [0, last], [last, 0]].some(([a, b]) => a === i && b === j);
  const isTaken = (x, y) =>
    x === 6 || y === 6 ||
    (x < 9 && y < 9) || (x >= size - 8 && y < 9) || (x < 9 && y >= size - 8) ||
    (version >= 7 && ((x >= size - 11 && y < 6) || (y >= size - 11 && x < 6))) ||
    centres.some((cx, i) => Math.abs(cx - x) <= 2 &&
      centres.some((cy, j) => Math.abs(cy - y) <= 2 && !isCorner(i, j)));
  let isUp = true;
  for (let right = size - 1; right >= 1; right -= 2) {
    if (right === 6) right = 5;
    for (let step = 0; step < size; step += 1) {
      const y = isUp ? size - 1 - step : step;
      for (const x of [right, right - 1]) if (!isTaken(x, y)) yield [x, y];
    }
    isUp = !isUp;
  }
}

/** Takes the blocks apart, which are written a byte of each at a time. */
function joined(bytes, blocks, correction) {
  const short = Math.floor(bytes.length / blocks) - correction;
  const long = bytes.length % blocks;
  const each = Array.from({ length: blocks }, () => []);
  let at = 0;
  for (let i = 0; i <= short; i += 1) {
    each.forEach((block, n) => {
      if (i < short || n >= blocks - long) block.push(bytes[at++]);
    });
  }
  return each.flat();
}

const LETTERS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:';

function text(bytes, version) {
  let at = 0;
  const take = (count) => {
    let value = 0;
    for (const end = at + count; at < end; at += 1) {
      value = (value << 1) | ((bytes[at >> 3] >> (7 - (at & 7))) & 1);
    }
    return value;
  };
  const isSmall = version < 10;
  const out = [];
  const put = (...each) => out.push(...each);
  for (;;) {
    const mode = at + 4 > bytes.length * 8 ? 0 : take(4);
    if (mode === 0) return Buffer.from(out).toString('utf8');
    if (mode === 4) {
      for (let left = take(isSmall ? 8 : 16); left > 0; left -= 1) put(take(8));
    } else if (mode === 2) {
      let left = take(isSmall ? 9 : 11);
      for (; left > 1; left -= 2) {
        const pair = take(11);
        put(LETTERS.charCodeAt(Math.floor(pair / 45)), LETTERS.charCodeAt(pair % 45));
      }
      if (left === 1) put(LETTERS.charCodeAt(take(6)));
    } else if (mode === 1) {
      for (let left = take(isSmall ? 10 : 12); left > 0; left -= 3) {
        const digits = Math.min(left, 3);
        const value = String(take([4, 7, 10][digits - 1])).padStart(digits, '0');
        put(...Buffer.from(value));
      }
    } else throw new Error(`mode ${mode} is unknown here`);
  }
}
