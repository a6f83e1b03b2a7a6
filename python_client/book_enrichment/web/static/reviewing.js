/* The decisions of the review panel. An approval is sent at once and undone by the server, which knows what it wrote.
   A dismissal cannot be taken back there (its candidates are never proposed again), so it is sent when its message
   has gone, or at the latest when the page closes; until then Undo simply does not send it. */

import { api } from './api.js';
import { refresh, undoRows } from './actions.js';
import { loadMoreReview } from './loading.js';
import { say, state, update } from './state.js';
import { complain, settle, toast } from './toasts.js';
import { count, fieldName, fieldNames, inOrder } from './words.js';

export const MOST_ALIKE = 1000; // rows one bulk call changes

/** Rows to review in the order they are shown: those left for later at the end. */
export function waitingRows() {
  const { value, skipped, leaving } = state.review;
  const rows = value.filter((row) => !leaving.has(row.queue_id));
  return [...rows.filter((row) => !skipped.has(row.queue_id)), ...rows.filter((row) => skipped.has(row.queue_id))];
}

/** The row that is open; the first where none is. */
export function currentRow() {
  const rows = waitingRows();
  return rows.find((row) => row.queue_id === state.review.current) ?? rows[0] ?? null;
}

/** Opens a row. Whoever was on a button of the book before goes on at the title of the new one. */
export function openRow(row) {
  const wasInside = Boolean(document.activeElement?.closest('.detail'));
  state.review.current = row?.queue_id ?? null;
  update();
  setTimeout(() => {
    document.querySelector('.queue [aria-current=true]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
    if (wasInside) document.getElementById('detail-title')?.focus();
  });
}

/** Goes to the next row or, with -1, to the one before. */
export function step(by) {
  const rows = waitingRows();
  const to = rows[rows.indexOf(currentRow()) + by];
  if (!to) return say(by > 0 ? 'This is the last one.' : 'This is the first one.');
  openRow(to);
  say(`${to.title}, ${rows.indexOf(to) + 1} of ${rows.length}`);
}

/** The rivals among which a person has to choose; empty where one candidate is clear. */
export function rivals(row) {
  const all = row.match_details?.candidates ?? [];
  const names = row.match_details?.rivals ?? [];
  return all.filter((candidate) => names.includes(candidate.candidate) && candidate.values);
}

/** What is proposed now: field → { value, provider, source_url, … }; of the chosen rival, where there are some. */
export function proposals(row) {
  const chosen = rivals(row).find((rival) => rival.candidate === state.review.picked.get(row.queue_id));
  if (!chosen || chosen.candidate === proposedCandidate(row)) return row.proposals ?? {};
  return Object.fromEntries(
    Object.entries(chosen.values).map(([field, value]) => [
      field,
      { value, provider: chosen.provider, source_url: chosen.source_url, candidate: chosen.candidate },
    ]),
  );
}

/** The candidate whose values the row itself proposes: the best one. */
export function proposedCandidate(row) {
  return Object.values(row.proposals ?? {})[0]?.candidate ?? null;
}

export function pick(row, candidate) {
  state.review.picked.set(row.queue_id, candidate);
  state.review.unticked.delete(row.queue_id);
  update();
}

export function isTicked(row, field) {
  return !state.review.unticked.get(row.queue_id)?.has(field);
}

export function tick(row, field, isOn) {
  const unticked = state.review.unticked.get(row.queue_id) ?? new Set();
  if (isOn) unticked.delete(field);
  else unticked.add(field);
  state.review.unticked.set(row.queue_id, unticked);
  update();
}

/** Ticks or unticks the n-th field, counted from 1. */
export function tickNumber(row, n) {
  const field = inOrder(Object.keys(proposals(row)))[n - 1];
  if (!field) return;
  tick(row, field, !isTicked(row, field));
  say(`${fieldName(field)} ${isTicked(row, field) ? 'ticked' : 'not ticked'}`);
}

export function tickedFields(row) {
  return inOrder(Object.keys(proposals(row))).filter((field) => isTicked(row, field));
}

/** Writes what is ticked; with nothing ticked it says so and leaves the row as it is. */
export async function approve(row) {
  if (state.review.busy) return;
  const fields = tickedFields(row);
  if (!fields.length) {
    toast('Nothing is ticked. Tick a detail to approve it, or dismiss the book.');
    return;
  }
  const picked = state.review.picked.get(row.queue_id) ?? null;
  const next = after(row);
  state.review.busy = row.queue_id;
  update();
  try {
    const outcome = await api.approve(row.queue_id, fields, picked);
    take(row, next);
    const applied = outcome.fields_applied ?? [];
    const skipped = outcome.fields_skipped ?? [];
    const what = applied.length ? `“${row.title}” got ${fieldNames(applied)}.` : `Nothing was written to “${row.title}”.`;
    const notice = skipped.length ? ` ${fieldNames(skipped)} had a value by now.` : '';
    toast(what + notice, { undo: applied.length ? () => undoRows([row.queue_id], row.title) : null });
    await refresh();
  } catch (error) {
    complain(error, `“${row.title}” was not approved.`);
    if (error.status === 404 || error.status === 409) await refresh();
  } finally {
    state.review.busy = null;
    update();
  }
}

/** Says that none of this is the book; sent once the message has gone. */
export function dismiss(row) {
  const { leaving } = state.review;
  const next = after(row);
  leaving.add(row.queue_id);
  openRow(next);
  toast(`“${row.title}” was dismissed; this match will not be proposed again.`, {
    undo: () => {
      leaving.delete(row.queue_id);
      openRow(row);
    },
    whenGone: () => sendDismissal(row),
  });
}

async function sendDismissal(row) {
  if (isClosing) return api.dismissAtOnce(row.queue_id);
  try {
    await api.dismiss(row.queue_id);
    take(row);
  } catch (error) {
    complain(error, `“${row.title}” was not dismissed.`);
  } finally {
    state.review.leaving.delete(row.queue_id);
    await refresh();
  }
}

/** Leaves a row for later: it moves to the end. */
export function skip(row) {
  const next = after(row);
  state.review.skipped.delete(row.queue_id); // and in again, behind those skipped before
  state.review.skipped.add(row.queue_id);
  openRow(next);
  update({ said: `“${row.title}” is left for later.` });
}

/** Opens the question whether to approve, or dismiss, all rows that were judged like this one. */
export async function askForAlike(row, action) {
  const filter = { confidence: row.confidence, provider: null, sentence: row.sentence, import_id: null };
  const dialog = { kind: 'bulk', row, action, filter, sentence: row.sentence, unticked: new Set(), count: null, busy: false, error: null };
  update({ dialog });
  try {
    await settle(); // books that were dismissed a moment ago are not among them
    dialog.count = await api.bulk(action, filter, null, true);
  } catch (error) {
    dialog.error = error;
  }
  update();
}

/** Does to all alike rows what the dialog asked for. */
export async function changeAlike(dialog) {
  dialog.busy = true;
  update();
  const { action, filter, unticked } = dialog;
  const fields = unticked.size ? Object.keys(dialog.count.fields).filter((field) => !unticked.has(field)) : null;
  try {
    const asked = await alikeRows(filter); // whom an undo would have to name
    const outcome = await api.bulk(action, filter, fields, false);
    update({ dialog: null });
    await refresh();
    // A row that is still here was not approved: an undo would take away what it had before.
    const rows = asked.filter((row) => !state.review.value.some((other) => other.queue_id === row.queue_id));
    const verb = action === 'approve' ? 'approved' : 'dismissed';
    const left = outcome.remaining ? ` ${count(outcome.remaining, 'more waits', 'more wait')}.` : '';
    const undo = action === 'approve' && rows.length ? () => undoRows(rows.map((row) => row.queue_id)) : null;
    toast(`${count(outcome.changed, 'book')} ${verb}.${left}`, { undo });
  } catch (error) {
    dialog.error = error;
  } finally {
    dialog.busy = false;
    update();
  }
}

async function alikeRows(filter) {
  while (state.review.cursor && state.review.value.length < MOST_ALIKE) {
    await loadMoreReview();
    if (state.review.error) throw state.review.error;
  }
  const isAlike = (row) => row.sentence === filter.sentence && row.confidence === filter.confidence && !rivals(row).length;
  return state.review.value.filter(isAlike);
}

/** How many of the loaded rows were judged like this one, itself included. Where rivals ask for a choice, it is one of a kind. */
export function alikeCount(row) {
  if (rivals(row).length) return 1;
  return waitingRows().filter((other) => other.sentence === row.sentence && other.confidence === row.confidence).length;
}

function after(row) {
  const rows = waitingRows();
  const at = rows.indexOf(row);
  return rows[at + 1] ?? rows[at - 1] ?? null;
}

function take(row, next = null) {
  const { review } = state;
  review.value = review.value.filter((other) => other.queue_id !== row.queue_id);
  review.skipped.delete(row.queue_id);
  if (next || review.current === row.queue_id) openRow(next);
  else update();
}

let isClosing = false;

/** The page closes, so nobody waits for replies any more; or it is back after all. */
export function closing(does) {
  isClosing = does;
}
