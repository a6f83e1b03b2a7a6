/* What a reader does in the library and with imports: look up, upload, undo. Each asks the server, says what came of
   it with a way back, and then looks at what has changed. Reviewing is in reviewing.js. */

import { api } from './api.js';
import { look, stopWatching } from './live.js';
import { loadImports, loadRoute } from './loading.js';
import { signOut } from './session.js';
import { forgetReader, state, update } from './state.js';
import { complain, dropAll, settle, toast } from './toasts.js';
import { count, fieldNames, joined } from './words.js';

const MOST_WORKS = 1000; // what one call takes
const MOST_CALLS = 50; // for one import
const OUTCOMES = {
  enqueued: (n) => `${count(n, 'book is', 'books are')} looked up now`,
  already_open: (n) => `${count(n, 'was', 'were')} in line already and moved up`,
  in_review: (n) => `${count(n, 'waits', 'wait')} for your review`,
  complete: (n) => `${count(n, 'lacks', 'lack')} nothing`,
  known_miss: (n) => `${count(n, 'was', 'were')} looked up not long ago, without success`,
  unknown: (n) => `${count(n, 'is', 'are')} not in your library any more`,
};

/** Looks up everything in the library that lacks something. */
export async function enrichMissing() {
  try {
    tellOutcomes((await api.triggerAll()).outcomes);
    await refresh();
  } catch (error) {
    complain(error, 'Nothing was started.');
  }
}

/** Looks up these works. */
export async function enrich(workIds) {
  try {
    const outcomes = {};
    for (let start = 0; start < workIds.length; start += MOST_WORKS) {
      const reply = await api.trigger(workIds.slice(start, start + MOST_WORKS));
      for (const [outcome, n] of Object.entries(reply.outcomes)) outcomes[outcome] = (outcomes[outcome] ?? 0) + n;
    }
    update({ selected: new Set() });
    tellOutcomes(outcomes);
    await refresh();
  } catch (error) {
    complain(error, 'Nothing was started.');
  }
}

function tellOutcomes(outcomes) {
  const parts = Object.entries(outcomes)
    .filter(([, n]) => n > 0)
    .map(([outcome, n]) => (OUTCOMES[outcome] ?? ((many) => `${many}: ${outcome}`))(n));
  toast(parts.length ? `${joined(parts)}.` : 'Nothing is missing: there was nothing to look up.');
}

/** Sends a CSV file; how far it is shows in state.upload. */
export async function importFile(file) {
  if (!file) return;
  update({ upload: { name: file.name, share: 0, id: null, progress: null, isIn: false, error: null }, dragging: false });
  const { upload } = state;
  if (!['library', 'imports'].includes(state.route.name)) location.hash = '#/imports'; // dropped where no card would show
  try {
    const reply = await api.upload(file, (share) => {
      upload.share = share;
      update();
    });
    Object.assign(upload, { share: 1, id: reply.import_id, rows: reply.rows, notes: reply.notes ?? [] });
    update({ said: `${count(reply.rows, 'row')} of ${file.name} received.` });
    await refresh();
  } catch (error) {
    upload.error = error;
    update({ said: `${file.name} was not imported. ${error.message}` });
  }
}

/** Puts back whatever the rows' approval or the sweep wrote. */
export async function undoRows(queueIds, title = null) {
  const fields = [];
  const kept = [];
  let done = 0;
  for (const queueId of queueIds) {
    try {
      const outcome = await api.undo(queueId);
      done += 1;
      fields.push(...(outcome.fields_restored ?? []));
      kept.push(...(outcome.fields_kept ?? []));
    } catch (error) {
      if (error.status === 409 && queueIds.length > 1) continue; // it wrote nothing: somebody else was quicker
      complain(error, title ? `“${title}” was not undone.` : 'Not everything was undone.');
      break;
    }
  }
  if (done) toast(undone(done, fields, kept));
  await refresh();
}

function undone(books, fields, kept) {
  const what = books > 1 ? `${count(fields.length, 'value')} in ${count(books, 'book')}` : fieldNames(fields);
  const first = fields.length ? `Undone: ${what}, as before.` : 'Undone; nothing had to be put back.';
  return kept.length ? `${first} ${count(kept.length, 'field')} changed since ${kept.length === 1 ? 'was' : 'were'} kept.` : first;
}

/** Takes back what an import filled in; the books stay. */
export async function undoImport(id) {
  update({ dialog: null });
  try {
    await settle();
    const items = await undoAll(id);
    const fields = items.flatMap((item) => item.fields_restored ?? []);
    const kept = items.flatMap((item) => item.fields_kept ?? []);
    const refused = items.filter((item) => item.reason);
    toast(items.length ? undone(items.length, fields, kept) : 'There was nothing to undo.');
    if (refused.length) toast(`${count(refused.length, 'book')} could not be undone: ${refused[0].reason}.`, { kind: 'error' });
    await Promise.all([loadImports(), refresh()]);
  } catch (error) {
    complain(error, 'The import was not undone.');
  }
}

/** One call takes a thousand books and is repeated until no further one changes. */
async function undoAll(id) {
  const all = [];
  for (let call = 0; call < MOST_CALLS; call += 1) {
    const { items } = await api.undoImport(id);
    all.push(...items);
    if (items.every((item) => item.reason)) break;
  }
  return all;
}

/** Opens a book: its state, what was done to it, what was found. */
export async function openBook(book) {
  const dialog = { kind: 'book', book, history: null, found: null, error: null };
  update({ dialog });
  const [history, found] = await Promise.allSettled([api.history(book.work_id), api.explain(book.work_id)]);
  dialog.history = history.value?.items ?? null;
  dialog.found = found.value?.items ?? null;
  dialog.error = history.reason ?? found.reason ?? null;
  update();
}

/** Ends the session and goes back to the sign-in. */
export async function leave() {
  dropAll(); // what waits for its message to go is said to the server while there is a token
  stopWatching();
  await signOut();
  forgetReader();
  location.hash = '';
}

/** Looks at the summary and at what the present page shows. */
export async function refresh() {
  await Promise.all([look(), loadRoute()]);
}
