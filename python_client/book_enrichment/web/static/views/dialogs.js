/* Dialogs: one book with its history and what was found for it, the question before many books are changed at once,
   the question before an import is undone, and the keyboard. The browser's own <dialog> keeps the focus inside. */

import { enrich, openBook, undoImport, undoRows } from '../actions.js';
import { SHORTCUTS } from '../keys.js';
import { askForAlike, changeAlike, MOST_ALIKE } from '../reviewing.js';
import { keepShortcuts, state, update } from '../state.js';
import { html, nothing } from '../vendor/lit-html/lit-html.js';
import {
  actionName, ago, capital, count, fieldName, fieldNames, inOrder, number, providerName, shown, waiting,
} from '../words.js';
import { badge, confidence, cover, icon, sourceLink, troubleInside } from './parts.js';

const KINDS = { book, bulk, undo_import: undoing, shortcuts };

export function dialog() {
  const { dialog: open } = state;
  return html`<dialog class="dialog ${open?.kind ?? ''}" aria-labelledby="dialog-title" @close=${close} @click=${closeOutside}>
    ${open ? html`<div class="dialog-body">${KINDS[open.kind](open)}
      <button class="button small quiet bare dialog-close" aria-label="Close" @click=${close}>${icon('close')}</button></div>` : nothing}
  </dialog>`;
}

/** After drawing: the dialog is opened or closed as the state says. */
export function openDialog() {
  const element = document.querySelector('dialog');
  if (!element) return;
  if (state.dialog && !element.open) element.showModal();
  if (!state.dialog && element.open) element.close();
}

function close() {
  if (state.dialog) update({ dialog: null });
}

function closeOutside(event) {
  if (event.target.localName === 'dialog') close(); // the backdrop: everything else is inside .dialog-body
}

function book({ book: one, history, found, error }) {
  const isOpen = ['pending', 'in_progress'].includes(one.status);
  return html`<div class="book-head">${cover(one)}
      <div><h2 id="dialog-title" tabindex="-1" autofocus>${one.title}</h2><p class="authors">${one.authors.join(', ')}</p>
        <p>${badge(one.status, one.undone_at)} ${one.status === 'pending' ? waiting(one.wait_reason, one.next_attempt_after) : nothing}
          ${one.status === 'failed' ? one.last_error : nothing}</p>
        ${one.missing?.length ? html`<p>Lacks ${fieldNames(one.missing, 9)}.</p>` : nothing}
        <p class="actions">
          ${one.status === 'needs_review'
            ? html`<a class="button primary" href="#/review" @click=${() => review(one)}>Review it</a>` : nothing}
          ${!isOpen && one.status !== 'needs_review' && one.missing?.length
            ? html`<button class="button primary" @click=${() => enrichOne(one)}>${icon('sparkle')}Enrich</button>` : nothing}
        </p></div></div>
    ${troubleInside(error, () => openBook(one))}
    <h3>History</h3>${history === null ? stillLoading(error)
      : history.length ? html`<ol class="history">${history.map((line) => historyLine(line, history, one))}</ol>`
      : html`<p class="fine">Nothing was done to this book yet.</p>`}
    <h3>What was found</h3>${found === null ? stillLoading(error)
      : found.length ? html`<ol class="found">${found.map(candidate)}</ol>`
      : html`<p class="fine">No source has described this book yet.</p>`}`;
}

function stillLoading(error) {
  return html`<p class="fine">${error ? 'It could not be loaded.' : 'Loading …'}</p>`;
}

function review(one) {
  Object.assign(state.review, { current: one.queue_id, sought: one.queue_id });
  update({ dialog: null });
}

function enrichOne(one) {
  update({ dialog: null });
  enrich([one.work_id]);
}

function historyLine(line, history, one) {
  const changes = Object.entries(line.fields_changed ?? {});
  // A row is undone as a whole: one button, at the newest of its lines.
  const canUndo = line === history.find((other) => other.is_undoable && other.queue_id === line.queue_id);
  const source = line.provider ? html`, ${sourceLink(line.source_url, providerName(line.provider))}` : nothing;
  return html`<li><p><strong>${actionName(line.action)}</strong> <span class="fine">${ago(line.created_at)}${source}</span></p>
    ${line.sentence ? html`<p class="fine">${capital(line.sentence)}.</p>` : nothing}
    ${changes.length ? html`<ul class="changes">${inOrder(changes.map(([field]) => field))
      .map((field) => change(field, line.fields_changed[field]))}</ul>` : nothing}
    ${canUndo ? html`<button class="button small" @click=${() => undoLine(line, one)}>${icon('undo')}Undo</button>` : nothing}</li>`;
}

/** One changed field. An old and a new value where both are kept, else the one value. */
function change(field, value) {
  const isPair = value !== null && typeof value === 'object' && ('new' in value || 'old' in value);
  const now = field === 'work.cover_url' ? 'a cover' : shown(field, isPair ? value.new : value);
  return html`<li><span>${fieldName(field)}:</span> <span class="text">${now ?? 'emptied'}</span></li>`;
}

function undoLine(line, one) {
  update({ dialog: null });
  undoRows([line.queue_id], one.title);
}

function candidate(each) {
  return html`<li class=${each.is_dismissed ? 'dismissed' : ''}>${cover(each)}
    <div><p><strong>${each.title}</strong> <span class="fine">${[each.authors].flat().join(', ')}</span></p>
      <p>${confidence(each.confidence)} ${capital(each.sentence ?? '')}${each.is_dismissed ? ' (dismissed)' : ''}</p>
      <p>${sourceLink(each.source_url, providerName(each.provider))}</p></div></li>`;
}

function bulk(open) {
  const { action, sentence, count: tried, unticked, busy, error } = open;
  const verb = capital(action);
  if (!tried) {
    return html`<h2 id="dialog-title" tabindex="-1" autofocus>${verb} all that say the same</h2>${error
      ? troubleInside(error, () => askForAlike(open.row, action)) : html`<p>Counting …</p>`}`;
  }
  const fields = inOrder(Object.keys(tried.fields ?? {}));
  const none = !tried.matched || (action === 'approve' && unticked.size === fields.length);
  return html`<h2 id="dialog-title" tabindex="-1" autofocus>${verb} ${count(tried.matched, 'book')}?</h2>
    <p>All of them say: <q>${sentence}</q></p>
    ${action === 'approve' ? html`<p>Only what is empty now is written:</p><ul class="ticks">${fields.map((field) => html`<li>
      <label class="tick">
      <input type="checkbox" ?checked=${!unticked.has(field)} @change=${(event) => tickAll(open, field, event.target.checked)}><span
        >${fieldName(field)}</span> <span class="fine">${count(tried.fields[field], 'book')}</span></label></li>`)}</ul>`
      : html`<p>These matches will not be proposed again. This cannot be undone.</p>`}
    ${tried.matched > MOST_ALIKE
      ? html`<p class="fine">One step takes ${number(MOST_ALIKE)}; the others stay for a second one.</p>` : nothing}
    ${troubleInside(error, () => changeAlike(open))}
    <div class="actions"><button class="button" @click=${close}>Cancel</button>
      <button class="button primary" ?disabled=${busy || none} @click=${() => changeAlike(open)}>${busy
        ? 'One moment …' : `${verb} ${count(tried.matched, 'book')}`}</button></div>`;
}

function tickAll(open, field, isOn) {
  if (isOn) open.unticked.delete(field);
  else open.unticked.add(field);
  update();
}

function undoing({ one }) {
  return html`<h2 id="dialog-title" tabindex="-1" autofocus>Undo this import?</h2>
    <p>What was filled into ${count(one.undoable, 'book')} of this ${providerName(one.import_source)} file is taken out again,
      ${count(one.covers_applied, 'cover')} included. The books stay in your library, and so does what you have changed since.</p>
    <div class="actions"><button class="button" @click=${close}>Cancel</button>
      <button class="button primary" @click=${() => undoImport(one.import_id)}
        >${icon('undo')}Undo ${count(one.undoable, 'book')}</button></div>`;
}

function shortcuts() {
  return html`<h2 id="dialog-title" tabindex="-1" autofocus>Keyboard</h2>
    <dl class="shortcuts">${SHORTCUTS.map(([key, does]) => html`<div><dt><kbd>${key}</kbd></dt><dd>${capital(does)}</dd></div>`)}</dl>
    <label class="tick"><input type="checkbox" ?checked=${state.shortcuts}
      @change=${(event) => keepShortcuts(event.target.checked)}><span>Use single keys as shortcuts</span></label>`;
}
