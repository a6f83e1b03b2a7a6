/* The keyboard in the review panel. Letters act only while no text is being typed and no dialog is open, and can be
   switched off (WCAG 2.1.4), because speech input presses keys by accident. */

import { approve, currentRow, dismiss, skip, step, tickNumber } from './reviewing.js';
import { state, update } from './state.js';
import { undoLast } from './toasts.js';

/** Each shortcut as it is documented in the dialog and in supabase/docs/embedding.md. */
export const SHORTCUTS = [
  ['J', 'next book'],
  ['K', 'book before'],
  ['A', 'approve what is ticked'],
  ['D', 'dismiss: none of this is the book'],
  ['S', 'skip: leave it for later'],
  ['1 – 9', 'tick or untick a field'],
  ['U', 'undo the last thing'],
  ['?', 'show this list'],
];

const IN_REVIEW = {
  j: () => step(1),
  k: () => step(-1),
  a: (row) => approve(row),
  d: (row) => dismiss(row),
  s: (row) => skip(row),
};

export function listenToKeys() {
  document.addEventListener('keydown', (event) => {
    if (!state.session || event.ctrlKey || event.metaKey || event.altKey || event.repeat || state.dialog) return;
    if (event.target.closest('input:not([type=checkbox], [type=radio]), textarea, select')) return;
    if (act(event.key)) event.preventDefault();
  });
}

function act(key) {
  if (key === '?') {
    update({ dialog: { kind: 'shortcuts' } });
    return true;
  }
  if (!state.shortcuts) return false;
  if (key.toLowerCase() === 'u') return undoLast();
  const row = state.route.name === 'review' ? currentRow() : null;
  if (!row) return false;
  if (/^[1-9]$/.test(key)) {
    tickNumber(row, Number(key));
    return true;
  }
  const action = IN_REVIEW[key.toLowerCase()];
  action?.(row);
  return Boolean(action);
}
