/* The review panel: on the left who waits, on the right one book, today's values beside what is proposed, with the
   sentence that explains the match, and the decision. reviewing.js holds what the buttons do. */

import { loadMoreReview, loadReview } from '../loading.js';
import {
  alikeCount, approve, askForAlike, currentRow, dismiss, isTicked, openRow, pick, proposals, proposedCandidate, rivals, skip, step, tick,
  tickedFields, waitingRows,
} from '../reviewing.js';
import { state, update } from '../state.js';
import { repeat } from '../vendor/lit-html/directives/repeat.js';
import { keyed } from '../vendor/lit-html/directives/keyed.js';
import { live } from '../vendor/lit-html/directives/live.js';
import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { capital, count, fieldName, inOrder, number, providerName, shown } from '../words.js';
import { confidence, cover, heading, icon, isShowable, noCover, nothingHere, sourceLink, trouble } from './parts.js';
import { openBook } from '../actions.js';

const COVER = 'work.cover_url';
const LONG = 280; // letters of a description before it is folded

export function review() {
  const { loaded, error } = state.review;
  const rows = waitingRows();
  const row = currentRow();
  return html`
    <div class="view-head">
      <div>${heading('Review')}<p class="lead">${loaded
        ? lead(rows.length) : error ? 'The list could not be loaded.' : 'Looking for books to review …'}</p></div>
      <button class="button quiet keys-button" @click=${() => update({ dialog: { kind: 'shortcuts' } })}>Keyboard <kbd>?</kbd></button>
    </div>
    ${trouble(error, loadReview)}
    ${!loaded ? nothing : row ? html`<div class="panel">${queue(rows, row)} ${keyed(row.queue_id, detail(row, rows))}</div>` : allDone()}
  `;
}

function lead(n) {
  const more = state.review.cursor ? ' or more' : '';
  return n ? `${count(n, 'book')}${more} with something to decide. Nothing is written before you say so.` : 'Nothing is waiting for you.';
}

function allDone() {
  const open = (state.summary.value?.pending ?? 0) + (state.summary.value?.in_progress ?? 0);
  const text = open
    ? `${count(open, 'book is', 'books are')} still being looked up; what needs your eye will show up here.`
    : 'Everything that was found is either in place or dismissed.';
  return nothingHere('All reviewed', text, html`<a class="button" href="#/library">To your library</a>`);
}

function queue(rows, row) {
  return html`<nav class="queue" aria-label="Books to review"><ol>
    ${repeat(rows, (each) => each.queue_id, (each) => html`<li>
      <button aria-current=${each === row ? 'true' : 'false'} @click=${() => openRow(each)}>
        ${cover(each, proposals(each)[COVER]?.value ?? each.cover_url)}
        <span class="queue-title">${each.title}</span>
        <span class="queue-state">${state.review.skipped.has(each.queue_id) ? 'Left for later' : confidence(each.confidence)}</span>
      </button></li>`)}
  </ol>${state.review.cursor ? html`<button class="button small" @click=${loadMoreReview}>Show more</button>` : nothing}</nav>`;
}

function detail(row, rows) {
  const at = rows.indexOf(row) + 1;
  return html`<article class="detail" aria-labelledby="detail-title">
    <div class="pager">
      <button class="button small quiet bare" aria-label="Book before" ?disabled=${at === 1} @click=${() => step(-1)}
        >${icon('before')}</button>
      <span>${number(at)} of ${number(rows.length)}</span>
      <button class="button small quiet bare" aria-label="Next book" ?disabled=${at === rows.length} @click=${() => step(1)}
        >${icon('next')}</button>
      <button class="button small quiet history-button" @click=${() => openBook(row)}>History</button>
    </div>
    <header><h2 id="detail-title" tabindex="-1">${row.title}</h2><p class="authors">${row.authors.join(', ')}</p></header>
    ${why(row)} ${choice(row)} ${covers(row)} ${fields(row)} ${decision(row)} ${alike(row)}
  </article>`;
}

/** The sentence that explains the score, and its three parts. */
function why(row) {
  const candidate = row.match_details?.candidates?.find((each) => each.candidate === chosen(row)) ?? row.match_details?.candidates?.[0];
  return html`<div class="why">${confidence(row.confidence)}
    <p>${capital(row.sentence ?? 'No explanation was kept')}.</p>
    ${candidate ? html`<dl class="scores">${score('Title', candidate.title_score, 4)}${score('Author', candidate.author_score, 3)}${
      score('ISBN', candidate.isbn_score, 5)}</dl>` : nothing}
  </div>`;
}

function score(name, points, most) {
  const filled = Math.max(0, Math.min(most, points ?? 0));
  const dots = html`${'●'.repeat(filled)}<span>${'●'.repeat(most - filled)}</span>`;
  return html`<div><dt>${name}</dt><dd><span class="dots" aria-hidden="true">${dots}</span>
    <span class="unseen">${points === null || points === undefined ? 'unknown' : `${points} of ${most}`}</span></dd></div>`;
}

function chosen(row) {
  return state.review.picked.get(row.queue_id) ?? proposedCandidate(row);
}

/** Two works that are nearly equally likely: a person has to say which it is. */
function choice(row) {
  const all = rivals(row);
  if (!all.length) return nothing;
  return html`<fieldset class="rivals"><legend>Which of these is your book?</legend>
    ${all.map((rival) => html`<label class="rival">
      <input type="radio" name="rival" value=${rival.candidate} .checked=${live(rival.candidate === chosen(row))}
        @change=${() => pick(row, rival.candidate)}>
      ${cover(rival)}
      <span><strong>${rival.title}</strong><span class="rival-by">${[rival.authors].flat().join(', ')}</span><span class="rival-why"
        >${capital(rival.sentence ?? '')}</span></span>
    </label>
    <p class="rival-source">${sourceLink(rival.source_url, `See it at ${providerName(rival.provider)}`)}</p>`)}
  </fieldset>`;
}

function covers(row) {
  const proposed = proposals(row)[COVER];
  const today = row.cover_url && isShowable(row.cover_url) ? cover(row, row.cover_url, `Today’s cover of ${row.title}`) : noCover();
  return html`<div class="covers">
    <figure><figcaption>Today</figcaption>${today}</figure>
    ${proposed ? html`<figure class="proposed ${isTicked(row, COVER) ? '' : 'off'}"><figcaption>Proposed</figcaption>
      ${cover(row, proposed.value, `Proposed cover of ${row.title}`)}${tickBox(row, COVER, 'Cover')}${from(proposed)}</figure>` : nothing}
  </div>`;
}

function fields(row) {
  const offered = proposals(row);
  const names = inOrder(Object.keys(offered)).filter((field) => field !== COVER);
  if (!names.length) return nothing;
  return html`<table class="fields"><caption class="unseen">Details of ${row.title}</caption>
    <thead><tr><th scope="col">Detail</th><th scope="col">Today</th><th scope="col">Proposed</th></tr></thead>
    <tbody>${names.map((field) => fieldRow(row, field, offered[field]))}</tbody></table>`;
}

function fieldRow(row, field, offer) {
  const today = shown(field, row.current_values?.[field] ?? offer.current);
  return html`<tr class=${isTicked(row, field) ? '' : 'off'}>
    <th scope="row">${tickBox(row, field, fieldName(field))}</th>
    <td data-label="Today">${today === null ? html`<span class="empty">empty</span>` : text(row, field, today)}</td>
    <td data-label="Proposed"><div class="value">${text(row, field, shown(field, offer.value))}</div>${from(offer)}</td></tr>`;
}

function tickBox(row, field, label) {
  const place = inOrder(Object.keys(proposals(row))).indexOf(field) + 1;
  return html`<label class="tick"><input type="checkbox" .checked=${live(isTicked(row, field))}
      @change=${(event) => tick(row, field, event.target.checked)}>
    <span>${label}</span>${place < 10 ? html`<kbd aria-hidden="true">${place}</kbd>` : nothing}</label>`;
}

function from({ provider, source_url: url }) {
  return html`<p class="from">${sourceLink(url, providerName(provider))}</p>`;
}

/** A value as text; a long one is folded until somebody wants all of it. */
function text(row, field, value) {
  const key = `${row.queue_id} ${field}`;
  if (!value || value.length <= LONG) return html`<span class="text">${value}</span>`;
  const isOpen = state.review.unfolded === key;
  return html`<span class="text">${isOpen ? value : `${value.slice(0, LONG).trimEnd()} …`}</span>
    <button class="button small quiet fold" aria-expanded=${String(isOpen)} @click=${() => {
      state.review.unfolded = isOpen ? null : key;
      update();
    }}>${isOpen ? 'Less' : 'All of it'}</button>`;
}

function decision(row) {
  const ticked = tickedFields(row).length;
  const all = Object.keys(proposals(row)).length;
  const isBusy = state.review.busy === row.queue_id;
  return html`<div class="decision">
    <button class="button primary" ?disabled=${isBusy || !ticked} @click=${() => approve(row)}>
      ${icon('check')}${isBusy ? 'Writing …' : ticked === all ? 'Approve' : `Approve ${number(ticked)} of ${number(all)}`}<kbd
        aria-hidden="true">A</kbd></button>
    <button class="button" ?disabled=${isBusy} @click=${() => dismiss(row)}>${icon('close')}Dismiss<kbd aria-hidden="true">D</kbd></button>
    <button class="button quiet" @click=${() => skip(row)}>Skip<kbd aria-hidden="true">S</kbd></button>
  </div>`;
}

/** The way to decide on many at once: those that were judged by the same sentence. */
function alike(row) {
  const books = alikeCount(row);
  if (books < 2 || !row.sentence) return nothing;
  return html`<div class="alike">
    <p>${count(books, 'book')} here say the same: <q>${row.sentence}</q></p>
    <button class="button small" @click=${() => askForAlike(row, 'approve')}>Approve all that say this …</button>
    <button class="button small quiet" @click=${() => askForAlike(row, 'dismiss')}>Dismiss them …</button>
  </div>`;
}
