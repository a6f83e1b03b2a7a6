/* Signing in with the e-mail and password of the reader's Supabase account. */

import { enter } from '../routes.js';
import { signIn, SignInError } from '../session.js';
import { state, update } from '../state.js';
import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { icon } from './parts.js';

export function signInForm() {
  const { busy, error } = state.signIn;
  document.title = 'Sign in – Book Enrichment';
  return html`<main class="sign-in">
    <img src=${new URL('../icon.svg', import.meta.url).href} alt="" width="56" height="56">
    <h1>Book Enrichment</h1>
    <p>Covers and details for the books in your library. Sign in with the account of your book app.</p>
    ${error ? html`<div class="trouble" role="alert">${icon('warning')}<p>${error}</p></div>` : nothing}
    ${state.config.supabase_url ? form(busy) : html`<p class="trouble">This server has no Supabase project to sign in to:
      its operator sets SUPABASE_URL and SUPABASE_ANON_KEY.</p>`}
  </main>`;
}

function form(busy) {
  return html`<form @submit=${send}>
    <label>E-mail <input name="email" type="email" autocomplete="username" required></label>
    <label>Password <input name="password" type="password" autocomplete="current-password" required></label>
    <button class="button primary" ?disabled=${busy}>${busy ? 'Signing in …' : 'Sign in'}</button>
  </form>`;
}

async function send(event) {
  event.preventDefault();
  const { email, password } = Object.fromEntries(new FormData(event.target));
  update({ signIn: { busy: true, error: null } });
  try {
    enter(await signIn(email, password));
  } catch (error) {
    const message = error instanceof SignInError ? error.message : 'The sign-in server cannot be reached. Try again in a moment.';
    update({ signIn: { busy: false, error: message } });
  }
}
