/* Bringing books in: the file button, the invitation of an empty library, and the card that follows a file from the
   first byte to the last look-up. */

import { enrichMissing, importFile } from '../actions.js';
import { state, update } from '../state.js';
import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { count, joined, number } from '../words.js';
import { icon, progress } from './parts.js';

/** A button that asks for a file. The input itself has the focus, so the keyboard works as for any button. */
export function chooseFile(text, look) {
  return html`<label class="${look} file">${icon('imports')}${text}
    <input type="file" accept=".csv,text/csv" @change=${(event) => {
      importFile(event.target.files[0]);
      event.target.value = ''; // the same file again is a change, too
    }}></label>`;
}

export function welcome() {
  return html`<section class="welcome">
    <h2>Bring your books</h2>
    <p>Export your library from Goodreads or StoryGraph as a CSV file and drop it here. Each book then gets the cover and the
      details it lacks; what you have is never overwritten.</p>
    ${chooseFile('Choose a CSV file', 'button primary')}
    <p class="fine">Goodreads: My Books → Import and export. StoryGraph: Manage account → Export.</p>
  </section>`;
}

export function uploadCard() {
  const { upload } = state;
  if (!upload) return nothing;
  const shown = upload.error ? failed : upload.id === null ? sending : upload.isIn ? lookedUp : reading;
  const { title, text, bar } = shown(upload);
  return html`<section class="upload ${upload.error ? 'failed' : ''}" aria-label="Import of ${upload.name}">
    <div><h2>${title}</h2>${text ? html`<p>${text}</p>` : nothing}${bar ?? nothing}
      ${upload.notes?.length ? html`<ul class="fine">${upload.notes.map((note) => html`<li>${note}</li>`)}</ul>` : nothing}</div>
    <div class="upload-actions">
      ${upload.id && state.route.id !== upload.id ? html`<a class="button small" href="#/imports/${upload.id}">See every row</a>` : nothing}
      <button class="button small quiet bare" aria-label="Close" @click=${() => update({ upload: null })}>${icon('close')}</button>
    </div></section>`;
}

function failed({ name, error }) {
  return { title: `${name} was not imported`, text: html`${error.message} ${error.hint ?? nothing}` };
}

function sending({ name, share }) {
  return { title: `Sending ${name}`, bar: progress(`Sending ${name}`, share < 1 ? share : null) };
}

function reading({ name, rows, progress: done }) {
  const sum = done?.expected_rows ?? rows;
  const read = done?.rows ?? 0;
  return {
    title: `Reading ${name}`,
    text: `${number(read)} of ${count(sum, 'row')}`,
    bar: progress(`Rows read of ${name}`, sum ? read / sum : null),
  };
}

/** The import has ended; now its books are looked up, and this says where to watch. */
function lookedUp({ name, progress: done }) {
  const queued = done.pending + done.in_progress;
  const closed = done.completed + done.needs_review + done.failed + done.skipped;
  const all = queued + closed;
  const rows = importedRows(done);
  if (done.state === 'incomplete') {
    const why = done.problem?.detail ?? 'the sending was cut off';
    return {
      title: `Not all of ${name} is in`,
      text: `${number(done.rows)} of ${count(done.expected_rows, 'row')}: ${why}. `
        + 'Import the same file again to go on; nothing comes in twice.',
    };
  }
  if (!all) return { title: `${name} is in`, text: `${rows} Nothing is missing, so nothing is looked up.` };
  const isOff = queued && !done.in_progress && state.summary.value?.next_reason === 'auto_disabled';
  if (isOff) {
    return {
      title: `${name} is in`,
      text: html`${rows} ${count(all, 'book lacks', 'books lack')} something. Look-ups after an import are switched off here:
        <button class="button small" @click=${enrichMissing}>look them up now</button>`,
    };
  }
  if (queued) {
    return {
      title: `${name} is in`,
      text: `${rows} ${count(all, 'book lacks', 'books lack')} something and ${all === 1 ? 'is' : 'are'} being looked up: `
        + 'covers first, then the details. Watch the badges in your library; you can close this page, it goes on without you.',
      bar: html`${progress('Books looked up', closed / all)}<p class="fine">${number(closed)} of ${number(all)} looked up</p>`,
    };
  }
  const review = done.needs_review
    ? html` <a href="#/review">${count(done.needs_review, 'book waits', 'books wait')} for your review.</a>` : nothing;
  return { title: `${name} is in and looked up`, text: html`${rows} ${number(done.covers_applied)} got a cover.${review}` };
}

export function importedRows(done) {
  const parts = [
    [done.created, 'new', 'new'],
    [done.matched, 'known already', 'known already'],
    [done.duplicate, 'in your library already', 'in your library already'],
    [done.rejected, 'could not be read', 'could not be read'],
  ];
  const told = parts.filter(([n]) => n).map(([n, words]) => `${number(n)} ${words}`);
  return `${count(done.rows, 'row')}: ${joined(told) || 'none of them a book'}.`;
}
