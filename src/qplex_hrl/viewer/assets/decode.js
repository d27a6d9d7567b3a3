// Reader of pack.py's blobs: from base64 to typed arrays.

const NAN_CODE = -32768;
const STORED = { f4: Float32Array, i1: Int8Array, i2: Int16Array, i4: Int32Array, u1: Uint8Array };

/** Bytes of a base64 text. */
function bytesOf(base64) {
  const text = atob(base64.trim());
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i += 1) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** The bytes that a zlib stream holds. */
async function inflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Bytes that stand together by weight, put back into numbers. */
function fromPlanes(bytes, count, Type) {
  const width = Type.BYTES_PER_ELEMENT;
  if (width === 1) return new Type(bytes.slice().buffer);
  const joined = new Uint8Array(count * width);
  for (let b = 0; b < width; b += 1) {
    for (let i = 0, from = b * count; i < count; i += 1) joined[i * width + b] = bytes[from + i];
  }
  return new Type(joined.buffer);
}

/** Sum differences along one axis, in place; typed arrays wrap around as NumPy's do. */
function sumAlong(values, shape, axis) {
  const size = (sizes) => sizes.reduce((product, n) => product * n, 1);
  const outer = size(shape.slice(0, axis));
  const inner = size(shape.slice(axis + 1));
  for (let o = 0; o < outer; o += 1) {
    const start = o * shape[axis] * inner;
    const end = start + shape[axis] * inner;
    for (let i = start + inner; i < end; i += 1) values[i] += values[i - inner];
  }
}

/** One array: {shape, values}. Rounded floats are multiplied out; NaN stays NaN. */
function decodeArray([, kind, code, shape, step, axis], bytes, count) {
  let values = fromPlanes(bytes, count, STORED[code]);
  if (kind !== "bool" && axis >= 0) sumAlong(values, shape, axis);
  if (kind === "float" && step) {
    values = Float32Array.from(values, (value) => (value === NAN_CODE ? NaN : value * step));
  }
  return { shape, values };
}

/** All arrays of a recording by name. */
async function decodeRecording(entries, base64) {
  const bytes = await inflate(bytesOf(base64));
  const arrays = {};
  let start = 0;
  for (const entry of entries) {
    const count = entry[3].reduce((product, n) => product * n, 1);
    const end = start + count * STORED[entry[2]].BYTES_PER_ELEMENT;
    arrays[entry[0]] = decodeArray(entry, bytes.subarray(start, end), count);
    start = end;
  }
  if (start !== bytes.length) throw new Error("the recording in this file is damaged");
  return arrays;
}
