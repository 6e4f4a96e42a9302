// The table of adapters. Rows stay the same nodes while it changes, so that nobody loses the focus.
import { get, post } from './api.js';
import { format } from './charts.js';

const MOST_ROWS = 100;
const STATES = { disk: 'not loaded', loaded: 'in memory', used: 'in use' };
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
    this.mayChange = false;
    element('filter').addEventListener('input', () => this.draw());
  }

  async refresh() {
    const answer = await get('v1/lorica/adapters');
    this.list = answer.data;
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
    const matching = this.list.filter((adapter) => adapter.name.toLowerCase().includes(wanted));
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
    const status = `${matching.length} of ${this.list.length} adapters${some}`;
    if (element('shown').textContent !== status) {
      element('shown').textContent = status;
    }
  }

  row(adapter) {
    const row = this.rows.get(adapter.name) ?? this.newRow(adapter.name);
    const held = adapter.bytes ? `, ${format.bytes(adapter.bytes)}` : '';
    const cells = [adapter.method ?? '–', adapter.rank ?? '–', STATES[adapter.state] + held];
    cells.forEach((text, index) => {
      row.children[index + 1].textContent = text;
    });
    return row;
  }

  newRow(name) {
    const row = document.createElement('tr');
    const header = document.createElement('th');
    header.scope = 'row';
    header.textContent = name;
    const cells = Array.from({ length: 4 }, () => document.createElement('td'));
    cells[3].append(button('Chat', `Chat with ${name}`, () => this.choose(name)));
    if (this.mayChange) {
      cells[3].append(button('Unload', `Unload ${name}`, () => this.unload(name)));
    }
    row.append(header, ...cells);
    this.rows.set(name, row);
    return row;
  }

  choose(name) {
    element(element('compare').checked ? 'model-2' : 'model-1').value = name;
    element('message').focus();
  }

  async unload(name) {
    try {
      await post('v1/unload_lora_adapter', { lora_name: name });
      this.rows.delete(name);
      await this.refresh();
      element('filter').focus();
    } catch (error) {
      this.notice(error.message);
    }
  }
}
