// A zip without compression: weights do not shrink, and the server takes one format only.
const KNOWN = ['adapter_config.json', 'adapter_model.safetensors', 'lorica.json', 'selftest.safetensors', 'README.md'];
const MOST = 2 ** 32 - 2 ** 20; // sizes are 32 bits wide
const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) {
    value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  }
  return value;
});

async function checksum(file) {
  const reader = file.stream().getReader();
  let sum = ~0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) {
      return ~sum >>> 0;
    }
    for (const byte of value) {
      sum = (sum >>> 8) ^ TABLE[(sum ^ byte) & 255];
    }
  }
}

/** A record of a zip: numbers of two or four bytes, each as [width, value]. */
function numbers(...fields) {
  const view = new DataView(new ArrayBuffer(fields.reduce((sum, [width]) => sum + width, 0)));
  let at = 0;
  for (const [width, value] of fields) {
    if (width === 2) {
      view.setUint16(at, value, true);
    } else {
      view.setUint32(at, value, true);
    }
    at += width;
  }
  return view.buffer;
}

/** What both records of a file say: version, flags, method, time, date, sum, sizes, length of the name, no more. */
const described = (sum, file, name) =>
  [[2, 20], [2, 0], [2, 0], [2, 0], [2, 0x21], [4, sum], [4, file.size], [4, file.size], [2, name.length], [2, 0]];

/** Zips the files of an adapter; others are left out. */
export async function zipAdapter(files) {
  const taken = [...files].filter((file) => KNOWN.includes(file.name));
  if (!taken.some((file) => file.name === KNOWN[0])) {
    throw new Error(`there is no ${KNOWN[0]} in it; choose the folder in which PEFT or Lorica saved the adapter`);
  }
  if (taken.reduce((sum, file) => sum + file.size, 0) > MOST) {
    throw new Error('it is larger than 4 GiB; copy it into the directory of adapters instead');
  }
  const parts = [];
  const directory = [];
  let at = 0;
  for (const file of taken) {
    const name = new TextEncoder().encode(file.name);
    const fields = described(await checksum(file), file, name);
    const header = numbers([4, 0x04034b50], ...fields);
    parts.push(header, name, file);
    directory.push(numbers([4, 0x02014b50], [2, 20], ...fields, [2, 0], [2, 0], [2, 0], [4, 0], [4, at]), name);
    at += header.byteLength + name.length + file.size;
  }
  const length = directory.reduce((sum, part) => sum + part.byteLength, 0);
  const count = taken.length;
  const end = numbers([4, 0x06054b50], [2, 0], [2, 0], [2, count], [2, count], [4, length], [4, at], [2, 0]);
  return new Blob([...parts, ...directory, end], { type: 'application/zip' });
}
