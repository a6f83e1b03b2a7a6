/* Messages at the lower edge, see toasts.js for how long they stay. */

import { state } from '../state.js';
import { drop, hold, run, undo } from '../toasts.js';
import { repeat } from '../vendor/lit-html/directives/repeat.js';
import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { icon } from './parts.js';

export function toasts() {
  return html`<section class="toasts" aria-label="Messages">
    ${repeat(state.toasts, (shown) => shown.id, toast)}
  </section>`;
}

function toast(shown) {
  return html`<div class="toast ${shown.kind}"
    @pointerenter=${() => hold(shown)} @pointerleave=${() => run(shown)}
    @focusin=${() => hold(shown)} @focusout=${() => run(shown)}>
    <p>${shown.text}</p>
    ${shown.undo ? html`<button class="button small" @click=${() => undo(shown)}>${icon('undo')}Undo</button>` : nothing}
    <button class="button small quiet bare" aria-label="Close this message" @click=${() => drop(shown)}>${icon('close')}</button>
  </div>`;
}
