/* Imports: each file that came in, how far it is, and what became of every row of one of them. */

import { loadImportRows, loadImports } from '../loading.js';
import { state, update } from '../state.js';
import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { ago, capital, count, number, plain, providerName } from '../words.js';
import { badge, heading, icon, nothingHere, progress, trouble } from './parts.js';
import { chooseFile, importedRows, uploadCard, welcome } from './upload.js';

const OUTCOMES = {
  created: 'New in your library', matched: 'Known already', duplicate: 'In your library already', rejected: 'Not imported',
};

export function imports() {
  return state.route.id ? oneImport() : allImports();
}

function allImports() {
  const { value, loaded, error } = state.imports;
  return html`
    <div class="view-head"><div>${heading('Imports')}<p class="lead">The files you brought, and what came of them.</p></div>
      ${value.length ? html`<div class="actions">${chooseFile('Import a file', 'button primary')}</div>` : nothing}</div>
    ${uploadCard()} ${trouble(error, loadImports)}
    ${!loaded ? nothing : value.length ? html`<ul class="imports">${value.map(line)}</ul>` : state.upload ? nothing : welcome()}
  `;
}

function line(one) {
  return html`<li class="import">
    <div><h2><a href="#/imports/${one.import_id}">${providerName(one.import_source)}</a></h2>
      <p class="fine">${ago(one.created_at)}</p></div>
    ${figures(one)} ${undoButton(one)}
  </li>`;
}

/** How far an import is, in rows and in look-ups. */
function figures(one) {
  const open = one.pending + one.in_progress;
  const all = open + one.completed + one.needs_review + one.failed + one.skipped;
  const isCut = one.expected_rows && one.rows < one.expected_rows;
  return html`<div class="figures">
    <p>${isCut ? `${number(one.rows)} of ${count(one.expected_rows, 'row')} read so far.` : importedRows(one)}
      ${all
        ? html` ${number(all - open)} of ${number(all)} looked up, ${count(one.covers_applied, 'cover')} found${one.undone
          ? `, ${number(one.undone)} undone` : ''}.`
        : isCut ? nothing : ' Nothing had to be looked up.'}</p>
    ${all && open ? progress(`Books of this import looked up`, (all - open) / all) : nothing}
    ${one.needs_review
      ? html`<p><a href="#/review">${count(one.needs_review, 'book waits', 'books wait')} for your review</a></p>` : nothing}
  </div>`;
}

function undoButton(one) {
  if (!one.undoable) return nothing;
  return html`<button class="button small" @click=${() => update({ dialog: { kind: 'undo_import', one } })}
    >${icon('undo')}Undo this import</button>`;
}

function oneImport() {
  const { id, value, progress: one, loaded, loading, cursor, error } = state.importRows;
  const isOther = id !== state.route.id || !loaded;
  return html`
    <p class="crumb"><a href="#/imports">${icon('before')}All imports</a></p>
    <div class="view-head"><div>${heading(one && !isOther ? `${providerName(one.import_source)} import` : 'Import')}
      <p class="lead">${one && !isOther
        ? `Begun ${ago(one.created_at)}.` : error ? 'It could not be loaded.' : 'Loading its rows …'}</p></div>
      ${one && !isOther ? html`<div class="actions">${undoButton(one)}</div>` : nothing}</div>
    ${uploadCard()} ${trouble(error, () => loadImportRows(state.route.id))}
    ${isOther ? nothing : html`${figures(one)}
      ${value.length ? rowTable(value) : nothingHere('No rows yet', 'They appear as the file is read.')}
      ${cursor ? html`<p class="more"><button class="button" ?disabled=${loading} @click=${() => loadImportRows(id, cursor)}
        >Show more</button></p>` : nothing}`}
  `;
}

function rowTable(rows) {
  return html`<table class="rows"><caption class="unseen">Rows of the file</caption>
    <thead><tr><th scope="col">Row</th><th scope="col">Book</th><th scope="col">Import</th><th scope="col">Look-up</th></tr></thead>
    <tbody>${rows.map((row) => html`<tr>
      <td class="row-number">${number(row.row_number)}</td>
      <td><strong>${row.title ?? 'Without a title'}</strong><span class="fine"
        >${[row.authors].flat().filter(Boolean).join(', ')}</span></td>
      <td>${OUTCOMES[row.outcome] ?? capital(plain(row.outcome))}${row.reason
        ? html`<span class="fine">${capital(row.reason)}</span>` : nothing}</td>
      <td>${row.status ? badge(row.status) : html`<span class="fine">–</span>`}</td></tr>`)}</tbody></table>`;
}
