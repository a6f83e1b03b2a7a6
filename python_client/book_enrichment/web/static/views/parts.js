/* Small things that many views show: covers, badges, icons, links, and what stands where nothing is. */

import { state, update } from '../state.js';
import { html, nothing, svg } from '../vendor/lit-html/lit-html.js';
import { confidenceName, stateName } from '../words.js';

// Where covers may come from; the server's policy refuses other addresses, so they are not even tried.
const COVER_HOSTS = document.querySelector('meta[name=cover-hosts]').content.split(' ').filter(Boolean);
// Where a link to a source may lead.
const SOURCE_HOSTS = ['openlibrary.org', 'books.google.com', 'www.goodreads.com', 'app.thestorygraph.com'];
const TINTS = 6;

const PATHS = {
  library: svg`<path d="M5 4v16M9 4v16M13 4.500l4.500 15.200M3 20h18"/>`,
  review: svg`<path d="M4 5h10M4 10h7M4 15h5"/><path d="m13 16 2.600 2.600L21 12"/>`,
  imports: svg`<path d="M12 3v11m0 0 4-4m-4 4-4-4M4 16v3a2 2 0 0 0 2 2h12a2 2 0 0 0 2-2v-3"/>`,
  usage: svg`<path d="M5 20v-6M12 20V5M19 20v-9"/>`,
  sparkle: svg`<path d="M12 4.500 13.700 10 19 12l-5.300 2L12 19.500 10.300 14 5 12l5.300-2Z"/>`,
  undo: svg`<path d="M9 7 4.500 11.500 9 16M5 11.500h9a5 5 0 0 1 0 10h-1"/>`,
  close: svg`<path d="m6 6 12 12M18 6 6 18"/>`,
  check: svg`<path d="m5 12.500 4.500 4.500L19 7"/>`,
  clock: svg`<circle cx="12" cy="12" r="8.500"/><path d="M12 7.500V12l3 2"/>`,
  warning: svg`<path d="M12 4 2.800 20h18.400ZM12 10v4.500M12 17v.2"/>`,
  away: svg`<path d="M9 5H5v14h14v-4M13 4h7v7M20 4l-9 9"/>`,
  before: svg`<path d="m14.500 6-6 6 6 6"/>`,
  next: svg`<path d="m9.500 6 6 6-6 6"/>`,
};

export function icon(name) {
  return html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">${PATHS[name]}</svg>`;
}

/** A book's cover, or a plain one with its title where there is none. `alt` empty: the title stands beside it. */
export function cover(book, url = book.cover_url, alt = '') {
  if (!isShowable(url)) return blankCover(book);
  return html`<img class="cover" src=${url} alt=${alt} loading="lazy" decoding="async"
    @error=${() => {
      state.brokenCovers.add(url);
      update();
    }}>`;
}

export function isShowable(url) {
  if (!url || state.brokenCovers.has(url) || !URL.canParse(url)) return false;
  const { origin, protocol, host } = new URL(url);
  if (state.config?.supabase_url && origin === new URL(state.config.supabase_url).origin) return true;
  const isListed = COVER_HOSTS.some((listed) => (listed.startsWith('*.') ? host.endsWith(listed.slice(1)) : host === listed));
  return protocol === 'https:' && isListed;
}

function blankCover({ title, authors }) {
  let sum = 0;
  for (const letter of title ?? '') sum = (sum * 31 + letter.codePointAt(0)) % 997;
  return html`<span class="cover blank tint-${sum % TINTS}" aria-hidden="true">
    <span class="blank-title">${title}</span><span class="blank-author">${[authors].flat()[0] ?? ''}</span>
  </span>`;
}

export function noCover() {
  return html`<span class="cover missing"><span>No cover yet</span></span>`;
}

export function badge(status, undoneAt = null) {
  if (undoneAt) return html`<span class="badge undone">Undone</span>`; // whatever it was: nothing of it is left
  return html`<span class="badge ${status ?? 'never'}">${stateName(status)}</span>`;
}

export function confidence(value) {
  return html`<span class="confidence ${value ?? 'none'}">${confidenceName(value)}</span>`;
}

/** A link to where a value came from; bare text where the address is not one we know. */
export function sourceLink(url, text) {
  if (!url || !URL.canParse(url)) return html`<span>${text}</span>`;
  const { protocol, host, username } = new URL(url);
  if (protocol !== 'https:' || username || !SOURCE_HOSTS.includes(host)) return html`<span>${text}</span>`;
  return html`<a class="source" href=${url} target="_blank" rel="noopener noreferrer">${text}${icon('away')}<span class="unseen">
    (opens a new tab)</span></a>`;
}

export function heading(text, extra = nothing) {
  return html`<h1 tabindex="-1">${text}${extra}</h1>`;
}

export function nothingHere(title, text, action = nothing) {
  return html`<div class="nothing-here"><h2>${title}</h2><p>${text}</p>${action}</div>`;
}

/** An error beside what is shown; `again` tries once more. */
export function trouble(error, again) {
  if (error?.isOffline) return nothing; // the banner says so, once for the whole page
  return troubleInside(error, again);
}

/** The same in a dialog, which covers the banner. */
export function troubleInside(error, again) {
  if (!error) return nothing;
  return html`<div class="trouble" role="alert">${icon('warning')}
    <p><strong>${error.message}</strong>${error.hint ? html` <span>${error.hint}</span>` : nothing}</p>
    <button class="button small" @click=${again}>Try again</button></div>`;
}

/** A bar for a share between 0 and 1; null while nobody knows. */
export function progress(label, share) {
  return share === null
    ? html`<progress aria-label=${label}></progress>`
    : html`<progress aria-label=${label} max="1" .value=${share}></progress>`;
}
