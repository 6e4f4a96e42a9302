// Requests to the server that this page came from. The key lives as long as the tab.
const KEY = 'lorica-key';

export const key = () => sessionStorage.getItem(KEY) ?? '';

export function useKey(value) {
  sessionStorage.setItem(KEY, value.trim());
}

/** What the server refused, in its own words. */
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function reason(response) {
  try {
    return (await response.json()).error.message;
  } catch {
    return `the server answered with status ${response.status}`;
  }
}

export async function call(path, options = {}) {
  const headers = { ...options.headers };
  if (key()) {
    headers.Authorization = `Bearer ${key()}`;
  }
  const response = await fetch(path, { ...options, headers });
  if (!response.ok) {
    throw new Refused(response.status, await reason(response));
  }
  return response;
}

export const get = async (path) => (await call(path)).json();

export const post = (path, body, signal) =>
  call(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body), signal });

/** The events of a stream, until its [DONE]. */
export async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) {
      throw new Error('the connection ended before the answer did');
    }
    const blocks = (text + value).split('\n\n');
    text = blocks.pop();
    for (const block of blocks) {
      const data = block.replace(/^data: /, '');
      if (data === '[DONE]') {
        return;
      }
      const event = JSON.parse(data);
      if (event.error) {
        throw new Error(event.error.message);
      }
      yield event;
    }
  }
}
