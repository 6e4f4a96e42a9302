// Conversations, one or two side by side, each with its own model and history.
import { events, post } from './api.js';

const element = (id) => document.getElementById(id);

/** One conversation. */
class Conversation {
  constructor(model, log) {
    this.model = model;
    this.log = log;
    this.messages = [];
  }

  clear() {
    this.messages = [];
    this.log.replaceChildren();
  }

  add(role, who, text) {
    const item = document.createElement('div');
    item.className = role;
    const name = document.createElement('p');
    name.className = 'who';
    name.textContent = who;
    const content = document.createElement('p');
    content.className = 'text';
    content.textContent = text;
    item.append(name, content);
    this.log.append(item);
    this.log.scrollTop = this.log.scrollHeight;
    return item;
  }

  /** Busy while it streams, so that a screen reader says the answer once and whole. */
  async ask(text, settings, signal) {
    const model = this.model.value.trim();
    const asked = [...this.messages, { role: 'user', content: text }];
    this.add('user', 'You', text);
    const item = this.add('assistant', model, '');
    this.log.setAttribute('aria-busy', 'true');
    try {
      const answer = await this.stream({ ...settings, model, messages: asked, stream: true }, item, signal);
      this.messages = [...asked, { role: 'assistant', content: answer }];
    } catch (error) {
      item.classList.add('failed');
      const note = document.createElement('p');
      note.className = 'failure';
      note.textContent = error.name === 'AbortError' ? 'Stopped.' : error.message;
      item.append(note);
      this.log.scrollTop = this.log.scrollHeight;
    } finally {
      this.log.setAttribute('aria-busy', 'false');
    }
  }

  async stream(request, item, signal) {
    const start = performance.now();
    const content = item.querySelector('.text');
    const response = await post('v1/chat/completions', request, signal);
    let answer = '';
    for await (const event of events(response)) {
      answer += event.choices[0]?.delta.content ?? '';
      content.textContent = answer;
      this.log.scrollTop = this.log.scrollHeight;
    }
    const seconds = (performance.now() - start) / 1000;
    item.querySelector('.who').textContent += ` · ${seconds.toFixed(1)} s`;
    return answer;
  }
}

export function startChat() {
  const first = new Conversation(element('model-1'), element('log-1'));
  const second = new Conversation(element('model-2'), element('log-2'));
  const message = element('message');
  const compare = element('compare');
  let running = null;

  const shown = () => (compare.checked ? [first, second] : [first]);
  const stop = () => running?.abort();

  async function ask() {
    const text = message.value.trim();
    if (!text || running) {
      return;
    }
    running = new AbortController();
    element('send').disabled = true;
    element('stop').disabled = false;
    message.value = '';
    await Promise.all(shown().map((conversation) => conversation.ask(text, settings(), running.signal)));
    running = null;
    element('send').disabled = false;
    element('stop').disabled = true;
  }

  function settings() {
    const tokens = element('tokens').valueAsNumber;
    const temperature = element('temperature').valueAsNumber;
    return {
      ...(Number.isNaN(tokens) ? {} : { max_tokens: tokens }),
      ...(Number.isNaN(temperature) ? {} : { temperature }),
    };
  }

  element('ask').addEventListener('submit', (event) => {
    event.preventDefault();
    ask();
  });
  message.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      element('ask').requestSubmit();
    }
  });
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') {
      stop();
    }
  });
  element('stop').addEventListener('click', stop);
  element('clear').addEventListener('click', () => {
    stop();
    first.clear();
    second.clear();
    message.focus();
  });
  compare.addEventListener('change', () => {
    element('second').hidden = !compare.checked;
  });
}
