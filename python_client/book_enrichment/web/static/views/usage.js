/* The meter of the free tiers: room in the database and for covers, calls of today, and what waits for what. */

import { loadUsage } from '../loading.js';
import { state } from '../state.js';
import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { capital, count, megabytes, number, plain, providerName, soon, waiting } from '../words.js';
import { heading, nothingHere, trouble } from './parts.js';

const SECTIONS = [
  { meter: 'calls', title: 'Calls today', note: 'Sources are free because everybody asks them politely.' },
  { meter: 'waiting', title: 'Waiting', note: 'Why books in line are not looked up this very moment.' },
  { meter: 'database', title: 'Database', note: 'A free Supabase project holds 500 MB.' },
  { meter: 'covers', title: 'Covers', note: 'Copies of covers that are kept in the project.' },
];

export function usage() {
  const { value, loaded, error } = state.usage;
  return html`
    <div class="view-head"><div>${heading('Usage')}<p class="lead">What the free tiers allow, and how much of it is used.</p></div></div>
    ${trouble(error, loadUsage)}
    ${loaded ? html`<div class="meters">${SECTIONS.map(section)}</div>` : nothing}
  `;

  function section({ meter, title, note }) {
    const lines = value.filter((line) => line.meter === meter);
    if (!lines.length && meter !== 'waiting') return nothing;
    return html`<section><h2>${title}</h2><p class="fine">${note}</p>
      ${lines.length
        ? html`<ul>${lines.map(lineOf)}</ul>` : nothingHere('Nothing waits', 'Every book that can be looked up has been.')}</section>`;
  }
}

function lineOf(line) {
  if (line.meter === 'waiting') {
    return html`<li><p><strong>${count(line.used, 'book')}</strong></p><p>${waiting(line.subject, line.until)}</p></li>`;
  }
  const show = line.unit === 'bytes' ? megabytes : number;
  const name = line.meter === 'calls' ? providerName(line.subject) : capital(plain(line.subject ?? line.meter));
  const limit = line.allowed === null || line.allowed === undefined ? ' (no daily limit)' : ` of ${show(line.allowed)}`;
  return html`<li><p class="meter-head"><strong>${name}</strong><span>${show(line.used)}${limit}</span></p>
    ${line.allowed ? html`<meter min="0" max=${line.allowed} high=${line.allowed * 0.8} optimum="0" .value=${line.used}
      aria-label="${name}: ${show(line.used)}${limit}"></meter>` : nothing}
    ${line.until ? html`<p class="fine">Begins anew ${soon(new Date(line.until))}.</p>` : nothing}</li>`;
}
