// Lines over the last two minutes, drawn as SVG. The figures themselves are text beside them.
const SAMPLES = 120;
const WIDTH = 360;
const HEIGHT = 96;
const NAMESPACE = 'http://www.w3.org/2000/svg';

const bytes = (value) => {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const step = value < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(value) / 10));
  return `${(value / 1024 ** step).toFixed(step < 2 || value % 1024 ** step === 0 ? 0 : 1)} ${units[step]}`;
};
const count = (value) => value.toLocaleString('en', { maximumFractionDigits: value < 10 ? 1 : 0 });

export const format = { bytes, count };

/** 1, 2 or 5 times a power of ten (of two for bytes), at least the value. */
function ceiling(value, show) {
  if (show === bytes) {
    return 2 ** Math.ceil(Math.log2(Math.max(value, 1024)));
  }
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return power * [1, 2, 5, 10].find((step) => step * power >= value);
}

function svg(name, attributes) {
  const node = document.createElementNS(NAMESPACE, name);
  Object.entries(attributes).forEach(([key, value]) => node.setAttribute(key, value));
  return node;
}

/** One figure with a line for each series. */
class Chart {
  constructor(parent, title, names, show) {
    this.show = show;
    this.series = names.map(() => []);
    const figure = document.createElement('figure');
    const caption = document.createElement('figcaption');
    const heading = document.createElement('h3');
    heading.textContent = title;
    const list = document.createElement('ul');
    this.values = names.map((name, index) => {
      const item = document.createElement('li');
      const swatch = svg('svg', { class: 'swatch', viewBox: '0 0 20 4', 'aria-hidden': 'true' });
      swatch.append(svg('path', { class: `line-${index}`, d: 'M0 2H20' }));
      const value = document.createElement('span');
      item.append(swatch, `${name}: `, value);
      list.append(item);
      return value;
    });
    caption.append(heading, list);
    this.picture = svg('svg', { class: 'chart', viewBox: `0 0 ${WIDTH} ${HEIGHT}`, 'aria-hidden': 'true' });
    this.top = svg('text', { x: 3, y: 14 });
    this.lines = names.map((_, index) => svg('path', { class: `line-${index}` }));
    this.picture.append(svg('path', { class: 'axis', d: `M0 .5H${WIDTH}M0 ${HEIGHT - 0.5}H${WIDTH}` }));
    this.picture.append(...this.lines, this.top);
    figure.append(caption, this.picture);
    parent.append(figure);
  }

  add(values) {
    values.forEach((value, index) => {
      this.series[index].push(value);
      this.series[index].splice(0, this.series[index].length - SAMPLES);
      this.values[index].textContent = this.show(value);
    });
    const top = ceiling(Math.max(...this.series.flat()), this.show);
    this.top.textContent = this.show(top);
    this.series.forEach((samples, index) => this.lines[index].setAttribute('d', path(samples, top)));
  }
}

function path(samples, top) {
  const left = SAMPLES - samples.length;
  return samples
    .map((value, index) => {
      const x = ((left + index) * WIDTH) / (SAMPLES - 1);
      const y = HEIGHT - 1 - (value / top) * (HEIGHT - 2);
      return `${index ? 'L' : 'M'}${x.toFixed(1)} ${y.toFixed(1)}`;
    })
    .join('');
}

/** Draws what the server tells of itself; call it with each account. */
export function startCharts(parent) {
  const tokens = new Chart(parent, 'Throughput', ['Tokens read a second', 'Tokens written a second'], count);
  const queue = new Chart(parent, 'Queue', ['Running', 'Waiting'], count);
  const pages = new Chart(parent, 'Pages in use', ['Keys and values', 'Kept prefixes', 'Adapters and merged weights'], count);
  const memory = new Chart(parent, 'Memory', ['Process', 'Adapters'], bytes);
  let before = null;
  return (stats) => {
    const engine = stats.engine;
    if (engine) {
      const rate = (name) =>
        before ? (engine[name] - before.engine[name]) / (stats.seconds - before.seconds) : 0;
      tokens.add([rate('prompt_tokens'), rate('generated_tokens')]);
      queue.add([engine.running, engine.waiting]);
      pages.add([engine.pages.cache, engine.pages.prefixes, engine.pages.adapters + engine.pages.merged]);
    }
    memory.add([stats.resident_bytes ?? 0, stats.adapters.bytes]);
    before = stats;
  };
}
