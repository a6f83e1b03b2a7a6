/* Short messages at the lower edge: what was done, and the way back. One that can be undone stays longer, and as
   long as somebody points at it or has the keyboard on it. */

import { state, update } from './state.js';

const READ_MS = 5_000;
const UNDO_MS = 10_000;

let nextId = 1;

/** Shows a message. `undo` is what its button does; `whenGone` runs when it has gone without that. */
export function toast(text, { undo = null, whenGone = null, kind = 'done' } = {}) {
  const shown = { id: nextId++, text, undo, whenGone, kind, timer: null };
  // The older ones have been read, but what waits for their end must happen now.
  for (const older of state.toasts.slice(0, -2)) drop(older);
  update({ toasts: [...state.toasts, shown], said: undo ? `${text} Press U to undo.` : text });
  run(shown);
  return shown;
}

/** An error as a message, with what the server advises. */
export function complain(error, instead = '') {
  const words = error.hint ? `${error.message} ${sentence(error.hint)}` : error.message;
  toast(`${instead} ${sentence(words)}`.trim(), { kind: 'error' });
}

export function run(shown) {
  clearTimeout(shown.timer);
  shown.timer = setTimeout(() => drop(shown), shown.undo ? UNDO_MS : READ_MS);
}

export function hold(shown) {
  clearTimeout(shown.timer);
}

/** Takes a message away; what waited for its end happens. Answers when it has. */
export function drop(shown) {
  if (!state.toasts.includes(shown)) return null;
  clearTimeout(shown.timer);
  update({ toasts: state.toasts.filter((other) => other !== shown) });
  return shown.whenGone?.();
}

/** What waits for the end of its message happens now, because the next step builds on it. */
export function settle() {
  return Promise.all(state.toasts.filter((shown) => shown.whenGone).map(drop));
}

/** Takes a message away and undoes what it told of. */
export function undo(shown) {
  clearTimeout(shown.timer);
  update({ toasts: state.toasts.filter((other) => other !== shown) });
  shown.undo();
}

/** Undoes the last thing that can be; false when there is none. */
export function undoLast() {
  const last = state.toasts.findLast((shown) => shown.undo);
  if (last) undo(last);
  return Boolean(last);
}

/** The page closes: what waited for a message's end happens now. */
export function dropAll() {
  for (const shown of [...state.toasts]) drop(shown);
}

function sentence(text) {
  const start = text[0].toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(start) ? start : `${start}.`;
}
