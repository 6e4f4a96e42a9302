// Adding an adapter: a zip or a folder, dropped or chosen, under a name that can still be changed.
import { call } from './api.js';
import { format } from './charts.js';
import { zipAdapter } from './zip.js';

const element = (id) => document.getElementById(id);

/** A name that the server takes, as near as possible. */
const nameOf = (text) => text.replace(/\.zip$/i, '').replace(/[^A-Za-z0-9._-]+/g, '-').replace(/^[^A-Za-z0-9]+/, '');

const entryFile = (entry) => new Promise((done, failed) => entry.file(done, failed));

/** The files directly in a dropped folder; a reader gives them in pieces. */
async function filesOf(folder) {
  const reader = folder.createReader();
  const files = [];
  for (;;) {
    const piece = await new Promise((done, failed) => reader.readEntries(done, failed));
    if (!piece.length) {
      return files;
    }
    files.push(...(await Promise.all(piece.filter((entry) => entry.isFile).map(entryFile))));
  }
}

/** @param added is called when an adapter has been added */
export function startUpload(added) {
  const form = element('add');
  const name = element('adapter-name');
  const status = element('add-status');
  let chosen = null; // gives the zip

  function choose(title, zip) {
    chosen = zip;
    name.value = nameOf(title);
    element('add-button').disabled = false;
    status.textContent = `${title} is chosen.`;
    name.focus();
  }

  const chooseZip = (file) => choose(file.name, async () => file);
  const chooseFolder = (title, files) => choose(title, async () => zipAdapter(await files));

  element('zip').addEventListener('change', (event) => {
    const file = event.target.files[0];
    if (file) {
      chooseZip(file);
    }
  });
  element('folder').addEventListener('change', (event) => {
    const files = [...event.target.files];
    if (files.length) {
      const top = files.filter((file) => file.webkitRelativePath.split('/').length === 2);
      chooseFolder(files[0].webkitRelativePath.split('/')[0], top);
    }
  });

  // dropped beside the form, a file would replace the page
  ['dragover', 'drop'].forEach((type) => document.addEventListener(type, (event) => event.preventDefault()));
  form.addEventListener('dragover', () => {
    form.classList.add('over');
  });
  form.addEventListener('dragleave', () => form.classList.remove('over'));
  form.addEventListener('drop', (event) => {
    form.classList.remove('over');
    const item = event.dataTransfer.items[0];
    const entry = item?.webkitGetAsEntry();
    if (entry?.isDirectory) {
      chooseFolder(entry.name, filesOf(entry));
    } else if (entry) {
      chooseZip(item.getAsFile());
    }
  });

  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (!chosen) {
      return;
    }
    const button = element('add-button');
    button.disabled = true;
    try {
      const zip = await chosen();
      status.textContent = `Sending ${format.bytes(zip.size)} …`;
      const path = `v1/lorica/adapters/${encodeURIComponent(name.value.trim())}`;
      await call(path, { method: 'POST', headers: { 'Content-Type': 'application/zip' }, body: zip });
      status.textContent = `${name.value.trim()} is served.`;
      chosen = null;
      form.reset();
      element('zip').focus();
      await added();
    } catch (error) {
      status.textContent = `Not added: ${error.message}`;
      button.disabled = false;
    }
  });
}
