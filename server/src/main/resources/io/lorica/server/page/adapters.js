// The table of adapters. Rows stay the same nodes while it changes, so that nobody loses the focus.
import { get, post } from './api.js';
import { format } from './charts.js';

const MOST_ROWS = 100;
const STATES = { disk: 'not loaded', loaded: 'in memory', used: 'in use', unloaded: 'unloaded' };
const element = (id) => document.getElementById(id);

function button(text, label, action) {
  const node = document.createElement('button');
  node.type = 'button';
  node.textContent = text;
  node.setAttribute('aria-label', label);
  node.addEventListener('click', action);
  return node;
}

export class Adapters {
  constructor(notice) {
    this.notice = notice;
    this.rows = new Map();
    this.list = [];
    this.unloaded = new Map();
    this.mayChange = false;
    element('filter').addEventListener('input', () => this.draw());
  }

  async refresh() {
    const answer = await get('v1/lorica/adapters');
    this.list = answer.data;
    this.list.filter(({ name }) => this.unloaded.delete(name)).forEach(({ name }) => this.rows.delete(name));
    if (this.mayChange !== answer.may_change) {
      this.mayChange = answer.may_change;
      this.rows.clear();
    }
    element('add').hidden = !this.mayChange;
    element('add-not').hidden = this.mayChange;
    this.suggest([...(answer.base ? [answer.base] : []), ...this.list.map((adapter) => adapter.name)]);
    this.draw();
    return answer;
  }

  /** Names for the fields of models; the fields take any text, so blends are possible too. */
  suggest(names) {
    const options = element('models');
    if (options.dataset.names === names.join('\n')) {
      return;
    }
    options.dataset.names = names.join('\n');
    options.replaceChildren(...names.map((name) => new Option(name, name)));
    element('model-1').value ||= names[0];
    element('model-2').value ||= names[1] ?? names[0];
  }

  draw() {
    const wanted = element('filter').value.trim().toLowerCase();
    const known = [...this.list, ...this.unloaded.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    const matching = known.filter((adapter) => adapter.name.toLowerCase().includes(wanted));
    const shown = matching.slice(0, MOST_ROWS);
    const rows = shown.map((adapter) => this.row(adapter));
    const body = element('rows');
    if (rows.length !== body.children.length || rows.some((row, index) => row !== body.children[index])) {
      const focused = document.activeElement;
      body.replaceChildren(...rows);
      if (body.contains(focused)) {
        focused.focus();
      }
    }
    const some = shown.length < matching.length ? `, the first ${shown.length} shown` : '';
    const status = `${matching.length} of ${known.length} adapters${some}`;
    if (element('shown').textContent !== status) {
      element('shown').textContent = status;
    }
  }

  row(adapter) {
    const row = this.rows.get(adapter.name) ?? this.newRow(adapter);
    const held = adapter.bytes ? `, ${format.bytes(adapter.bytes)}` : '';
    const cells = [adapter.method ?? '–', adapter.rank ?? '–', STATES[adapter.state] + held];
    cells.forEach((text, index) => {
      row.children[index + 1].textContent = text;
    });
    return row;
  }

  newRow(adapter) {
    const { name } = adapter;
    const row = document.createElement('tr');
    const header = document.createElement('th');
    header.scope = 'row';
    header.textContent = name;
    const cells = Array.from({ length: 4 }, () => document.createElement('td'));
    if (adapter.state === 'unloaded') {
      cells[3].append(button('Load again', `Load ${name} again`, () => this.load(name)));
    } else {
      cells[3].append(button('Chat', `Chat with ${name}`, () => this.choose(name)));
      if (this.mayChange) {
        cells[3].append(button('Unload', `Unload ${name}`, () => this.unload(adapter)));
      }
    }
    row.append(header, ...cells);
    this.rows.set(name, row);
    return row;
  }

  choose(name) {
    element(element('compare').checked ? 'model-2' : 'model-1').value = name;
    element('message').focus();
  }

  /** Keeps the row, as long as the page is there, so that it can be loaded again. */
  async unload({ name, method, rank }) {
    await this.change(name, async () => {
      await post('v1/unload_lora_adapter', { lora_name: name });
      this.unloaded.set(name, { name, method, rank, state: 'unloaded' });
    });
  }

  /** From the folder of its name below the server's directory, where adapters that can be unloaded here lie. */
  async load(name) {
    await this.change(name, () => post('v1/load_lora_adapter', { lora_name: name, lora_path: name }));
  }

  /** What changes an adapter gives it a new row; whoever was in the old one is on the new one's last button then. */
  async change(name, action) {
    try {
      await action();
      this.rows.delete(name);
      await this.refresh();
      (this.rows.get(name)?.querySelector('button:last-of-type') ?? element('filter')).focus();
    } catch (error) {
      this.notice(error.message);
    }
  }
}
