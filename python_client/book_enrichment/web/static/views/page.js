/* The whole page: the sign-in, or header, navigation and one of the four views; over it banners, messages, dialogs. */

import { leave } from '../actions.js';
import { state } from '../state.js';
import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { number, time } from '../words.js';
import { dialog } from './dialogs.js';
import { imports } from './imports.js';
import { library } from './library.js';
import { icon } from './parts.js';
import { review } from './review.js';
import { signInForm } from './sign_in.js';
import { toasts } from './toasts.js';
import { usage } from './usage.js';

const VIEWS = {
  library: { name: 'Library', view: library },
  review: { name: 'Review', view: review },
  imports: { name: 'Imports', view: imports },
  usage: { name: 'Usage', view: usage },
};

export function page(begin) {
  if (state.startError) return unreachable(begin);
  if (!state.config) return html`<p class="opening">Opening your library …</p>`;
  if (!state.session) return signInForm();
  const { name, view } = VIEWS[state.route.name];
  const waiting = state.summary.value?.needs_review;
  document.title = `${waiting ? `(${waiting}) ` : ''}${name} – Book Enrichment`;
  return html`
    <a class="skip-link" href="#main" @click=${skipToMain}>Skip to content</a>
    ${header()}
    <main id="main" tabindex="-1" class="view view-${state.route.name}">${offline()} ${view()}</main>
    ${toasts()} ${dialog()}
    <p class="unseen" role="status">${state.said}</p>
    ${state.dragging ? html`<div class="drop-here" aria-hidden="true"><p>Drop the file to import it</p></div>` : nothing}
  `;
}

function unreachable(begin) {
  return html`<main class="opening"><h1>Your library cannot be reached</h1>
    <p>${state.startError.message}</p><button class="button primary" @click=${begin}>Try again</button></main>`;
}

function skipToMain(event) {
  event.preventDefault(); // the fragment belongs to the routes
  document.getElementById('main').focus();
}

function header() {
  return html`<header class="top">
    <a class="brand" href="#/library"><img src=${new URL('../icon.svg', import.meta.url).href} alt="" width="28" height="28"><span
      >Book Enrichment</span></a>
    <nav aria-label="Main">
      <ul>${Object.entries(VIEWS).map(([route, { name }]) => tab(route, name))}</ul>
    </nav>
    <div class="account">
      ${state.session.email ? html`<span class="email">${state.session.email}</span>` : nothing}
      <button class="button small quiet" @click=${leave}>Sign out</button>
    </div>
  </header>`;
}

function tab(route, name) {
  const waiting = route === 'review' ? state.summary.value?.needs_review : 0;
  return html`<li><a href="#/${route}" aria-current=${state.route.name === route ? 'page' : nothing}>
    ${icon(route)}<span>${name}</span>
    ${waiting ? html`<span class="count">${number(waiting)}<span class="unseen"> to review</span></span>` : nothing}
  </a></li>`;
}

function offline() {
  const isOut = !state.online || state.summary.error?.isOffline;
  if (!isOut) return nothing;
  const shown = state.heardAt ? ` What you see is from ${time(state.heardAt)}.` : '';
  return html`<div class="banner offline" role="status">${icon('warning')}
    <p>${navigator.onLine ? 'The server cannot be reached.' : 'You are offline.'}${shown}
      The page goes on by itself when the connection is back.</p></div>`;
}
