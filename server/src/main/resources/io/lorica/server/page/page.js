// What the page does: a chat, a table of adapters, and charts of the server's load.
import { get, key, useKey } from './api.js';
import { Adapters } from './adapters.js';
import { startCharts } from './charts.js';
import { startChat } from './chat.js';
import { startUpload } from './upload.js';

const SECOND = 1000;
const element = (id) => document.getElementById(id);

function notice(text) {
  const node = element('notice');
  if (node.textContent !== text) {
    node.textContent = text;
  }
  node.hidden = !text;
}

const adapters = new Adapters(notice);
const draw = startCharts(element('charts'));
let failing = false;

function show(stats) {
  const kind = stats.engine ? 'generates' : 'gives embeddings, so there is no chat';
  element('base').textContent = `${stats.base} ${kind}`;
  element('chat').hidden = !stats.engine;
  draw(stats);
}

/** What a failure means to whoever looks. */
function meaning(error) {
  if (error.status === 401 && !key()) {
    return 'This server asks for an API key; enter yours above.';
  }
  return error instanceof TypeError ? 'The server cannot be reached.' : error.message;
}

/** Asks again and again, one after the other, while somebody looks. */
async function repeat(pause, action) {
  for (;;) {
    if (!document.hidden) {
      try {
        await action();
        if (failing) {
          failing = false;
          notice('');
        }
      } catch (error) {
        failing = true;
        notice(meaning(error));
      }
    }
    await new Promise((done) => setTimeout(done, pause));
  }
}

element('key').value = key();
element('key-form').addEventListener('submit', (event) => {
  event.preventDefault();
  useKey(element('key').value);
  adapters.refresh().then(() => notice(''), (error) => notice(meaning(error)));
});

startChat();
startUpload(() => adapters.refresh());
repeat(SECOND, async () => show(await get('v1/lorica/stats')));
repeat(3 * SECOND, () => adapters.refresh());
