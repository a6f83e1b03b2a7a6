/* Getting things from the server into the state: what is shown stays while newer news is on its way, and an error
   stands beside it instead of replacing it. */

import { api } from './api.js';
import { close } from './session.js';
import { forgetReader, state, update } from './state.js';

const LIBRARY_PAGE = 60;
const REVIEW_PAGE = 100;
const ROWS_PAGE = 100;
const LARGEST_PAGE = 200; // of one request

/** Runs a request for one loadable; `take` puts the reply into it. */
async function fill(loadable, request, take) {
  const wasOnline = state.online;
  loadable.loading = true;
  update();
  try {
    take(await request());
    loadable.loaded = true;
    loadable.error = null;
    // An answer ends an outage only where it was asked for during it: one that was under way before says nothing.
    update({ heardAt: Date.now(), online: state.online || !wasOnline });
  } catch (error) {
    loadable.error = error;
    if (error.isSignedOut) endSession();
  } finally {
    loadable.loading = false;
    update();
  }
}

/** The session is over: back to the sign-in, with a word why. */
export function endSession() {
  if (!state.session) return;
  close();
  forgetReader();
  update({ signIn: { busy: false, error: 'Your session has ended. Sign in again to go on.' } });
}

export function loadSummary() {
  return fill(state.summary, api.summary, (reply) => {
    state.summary.value = reply;
  });
}

/** As many rows as are shown already, at least one page of them: { items, next_cursor }. */
async function anew(shown, page, request) {
  const wanted = Math.max(page, shown);
  let reply = { items: [], next_cursor: null };
  const items = [];
  do {
    reply = await request(Math.min(wanted - items.length, LARGEST_PAGE), reply.next_cursor);
    items.push(...reply.items);
  } while (reply.next_cursor && items.length < wanted);
  return { ...reply, items };
}

export function loadLibrary() {
  const { library } = state;
  const { filter } = library;
  const request = () => anew(library.value.length, LIBRARY_PAGE, (limit, cursor) => api.library(filter, limit, cursor));
  return fill(library, request, (reply) => {
    if (filter !== library.filter) return; // another filter was chosen meanwhile
    library.value = reply.items;
    library.cursor = reply.next_cursor;
  });
}

export function loadMoreLibrary() {
  const { library } = state;
  const { filter } = library;
  return fill(library, () => api.library(filter, LIBRARY_PAGE, library.cursor), (reply) => {
    if (filter !== library.filter) return; // another filter was chosen meanwhile
    library.value = [...library.value, ...reply.items];
    library.cursor = reply.next_cursor;
  });
}

export function loadReview() {
  const { review } = state;
  const { sought } = review;
  const page = (limit, cursor) => api.queue('needs_review', limit, cursor);
  const request = async () => {
    const { items, ...reply } = await anew(review.value.length, REVIEW_PAGE, page);
    while (sought && reply.next_cursor && !items.some((row) => row.queue_id === sought)) {
      const more = await page(LARGEST_PAGE, reply.next_cursor);
      items.push(...more.items);
      reply.next_cursor = more.next_cursor;
    }
    return { ...reply, items };
  };
  return fill(review, request, (reply) => {
    if (sought === review.sought) review.sought = null;
    review.value = reply.items;
    review.cursor = reply.next_cursor;
  });
}

export function loadMoreReview() {
  const { review } = state;
  return fill(review, () => api.queue('needs_review', REVIEW_PAGE, review.cursor), (reply) => {
    review.value = [...review.value, ...reply.items];
    review.cursor = reply.next_cursor;
  });
}

export function loadImports() {
  return fill(state.imports, api.imports, (reply) => {
    state.imports.value = reply.items;
  });
}

/** An import's progress and its first rows, or the next ones after `cursor`. */
export function loadImportRows(id, cursor = null) {
  const rows = state.importRows;
  if (rows.id !== id) Object.assign(rows, { id, value: [], loaded: false, progress: null, cursor: null });
  const request = cursor
    ? () => api.importProgress(id, ROWS_PAGE, cursor)
    : () => anew(rows.value.length, ROWS_PAGE, (limit, after) => api.importProgress(id, limit, after));
  return fill(rows, request, (reply) => {
    if (rows.id !== id) return;
    const { items, next_cursor: next, ...progress } = reply;
    Object.assign(rows, { value: cursor ? [...rows.value, ...items] : items, cursor: next, progress });
  });
}

export function loadUsage() {
  return fill(state.usage, api.usage, (reply) => {
    state.usage.value = reply.items;
  });
}

/** What the present route shows. */
export function loadRoute() {
  switch (state.route.name) {
    case 'review':
      return loadReview();
    case 'imports':
      return state.route.id ? loadImportRows(state.route.id) : loadImports();
    case 'usage':
      return loadUsage();
    default:
      return loadLibrary();
  }
}
