/* The library: how much is there and what is missing, what goes on right now, and every book with its state. */

import { enrich, enrichMissing, openBook } from '../actions.js';
import { loadLibrary, loadMoreLibrary } from '../loading.js';
import { state, update } from '../state.js';
import { repeat } from '../vendor/lit-html/directives/repeat.js';
import { live } from '../vendor/lit-html/directives/live.js';
import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { count, fieldNames, number, STATES, waiting } from '../words.js';
import { badge, cover, heading, icon, nothingHere, trouble } from './parts.js';
import { chooseFile, uploadCard, welcome } from './upload.js';

export function library() {
  const { value: summary } = state.summary;
  const isEmpty = summary?.books === 0 && !state.upload;
  return html`
    <div class="view-head">
      <div>${heading('Your library')}<p class="lead">${lead(summary)}</p></div>
      ${isEmpty ? nothing : html`<div class="actions">
        ${chooseFile('Import a file', 'button')}
        <button class="button primary" @click=${enrichMissing} ?disabled=${!summary?.missing_something}>
          ${icon('sparkle')}Enrich missing${summary?.missing_something
            ? html` <span class="count">${number(summary.missing_something)}</span>` : nothing}
        </button></div>`}
    </div>
    ${uploadCard()} ${trouble(state.summary.error ?? state.library.error, loadLibrary)}
    ${isEmpty ? welcome() : html`${happening(summary)} ${filters(summary)} ${shelf()} ${selectionBar()}`}
  `;
}

function lead(summary) {
  if (!summary) return state.summary.error ? 'Your library could not be loaded.' : 'Counting your books …';
  if (!summary.books) return 'No books yet.';
  if (!summary.missing_something) return `${count(summary.books, 'book')}, and nothing is missing.`;
  const covers = summary.missing_cover ? `${number(summary.missing_cover)} without a cover, ` : '';
  const lacks = summary.missing_something === 1 ? 'lacks' : 'lack';
  return `${count(summary.books, 'book')}: ${covers}${number(summary.missing_something)} ${lacks} something.`;
}

/** One line about what is being done, and why it may stand still. */
function happening(summary) {
  const open = (summary?.pending ?? 0) + (summary?.in_progress ?? 0);
  if (!open) return nothing;
  const isMoving = summary.in_progress || !summary.next_reason || ['queued', 'next_lookup'].includes(summary.next_reason);
  return html`<div class="banner happening" role="status">${icon('clock')}
    <p>${isMoving
      ? html`<strong>${count(open, 'book is', 'books are')} being looked up.</strong> Badges change here as answers come in.`
      : html`<strong>${count(open, 'book waits', 'books wait')}.</strong> ${waiting(summary.next_reason, summary.next_due_at)}`}</p>
  </div>`;
}

function filters(summary) {
  const all = [
    [null, 'All', summary?.books],
    ['missing', 'Missing something', summary?.missing_something],
    ...Object.entries(STATES).map(([status, { filter }]) => [status, filter, summary?.[status]]),
  ];
  const shown = all.filter(([filter, , n]) => filter === null || filter === state.library.filter || n);
  return html`<div class="filters" role="group" aria-label="Show">
    ${shown.map(([filter, name, n]) => html`<button aria-pressed=${String(state.library.filter === filter)} @click=${() => choose(filter)}>
      ${name}${n === undefined ? nothing : html` <span class="count">${number(n)}</span>`}</button>`)}
  </div>`;
}

function choose(filter) {
  Object.assign(state.library, { filter, value: [], cursor: null, loaded: false });
  loadLibrary();
}

function shelf() {
  const { value, loaded, loading, cursor, filter, error } = state.library;
  if (!loaded) {
    return error ? nothing : html`<ul class="shelf" aria-label="Loading books" aria-busy="true">${Array.from(
      { length: 12 },
      () => html`<li class="card ghost"><span class="cover"></span><span class="line"></span><span class="line short"></span></li>`,
    )}</ul>`;
  }
  if (!value.length && filter) return nothingHere('No book is in this state', 'Choose another filter above.');
  return html`<ul class="shelf" aria-label="Books" aria-busy=${String(loading)}>${repeat(value, (book) => book.work_id, card)}</ul>
    ${cursor ? html`<p class="more"><button class="button" @click=${loadMoreLibrary} ?disabled=${loading}
      >Show more</button></p>` : nothing}`;
}

function card(book) {
  const isSelected = state.selected.has(book.work_id);
  return html`<li class="card ${isSelected ? 'selected' : ''}">
    <div class="card-cover">${cover(book)}
      <input type="checkbox" aria-label="Select ${book.title}" .checked=${live(isSelected)}
        @change=${(event) => select(book, event.target.checked)}></div>
    <button class="card-title" @click=${() => openBook(book)}>${book.title}</button>
    <p class="card-author">${book.authors.join(', ')}</p>
    <p class="card-state">${badge(book.status, book.undone_at)}</p>
    ${note(book)}
  </li>`;
}

/** What a reader may wonder about: why it waits or failed, else what it lacks. */
function note(book) {
  if (book.status === 'pending' && book.wait_reason !== 'queued') {
    return html`<p class="card-note">${waiting(book.wait_reason, book.next_attempt_after)}</p>`;
  }
  if (book.status === 'failed' && book.last_error) return html`<p class="card-note">${book.last_error}</p>`;
  if (book.missing.length) return html`<p class="card-note">Lacks ${fieldNames(book.missing)}</p>`;
  return nothing;
}

function select(book, isOn) {
  if (isOn) state.selected.add(book.work_id);
  else state.selected.delete(book.work_id);
  update();
}

function selectionBar() {
  const { size } = state.selected;
  if (!size) return nothing;
  return html`<div class="selection" role="region" aria-label="Selected books">
    <p>${count(size, 'book')} selected</p>
    <button class="button quiet" @click=${() => update({ selected: new Set() })}>Clear</button>
    <button class="button quiet" @click=${() => update({ selected: new Set(state.library.value.map((book) => book.work_id)) })}
      >Select all shown</button>
    <button class="button primary" @click=${() => enrich([...state.selected])}>${icon('sparkle')}Enrich</button>
  </div>`;
}
