/* Keeps the page up to date without a reload. Where the project has Realtime, it tells us that rows of the queue have
   changed; where not, the summary is asked for again while something is open: often while books are looked up,
   rarely while all wait for something far away or nobody looks, never when nothing is left to happen. */

import { api } from './api.js';
import { loadImportRows, loadImports, loadRoute, loadSummary } from './loading.js';
import { accessToken, tokenAtHand } from './session.js';
import { state, update } from './state.js';
import { Socket } from './vendor/phoenix/phoenix.js';

const BUSY_MS = 2_000;
const WAITING_MS = 30_000;
const HIDDEN_MS = 60_000;
const SETTLE_MS = 250; // an answer changes many rows: one look for all of them
const TOKEN_MS = 10 * 60_000; // how often the channel gets a fresh token

let socket = null;
let isTold = false; // Realtime says what happens
let timer = null;
let settling = null;
let seen = null; // the summary that is shown, as text

/** Begins to watch; called once somebody is signed in. */
export function watch() {
  if (state.config.realtime) listen();
  look();
}

/** Stops watching: signed out. */
export function stopWatching() {
  clearTimeout(timer);
  clearTimeout(settling);
  settling = null;
  socket?.disconnect();
  socket = null;
  isTold = false;
  seen = null;
}

/** Looks now, and plans the next look. */
export async function look() {
  clearTimeout(timer);
  if (!state.session) return;
  await loadSummary();
  await followUpload();
  const now = JSON.stringify(state.summary.value);
  if (seen !== null && now !== seen) await loadRoute();
  if (state.summary.value) seen = now;
  plan();
}

function plan() {
  clearTimeout(timer);
  const delay = nextLook();
  if (delay !== null && state.session) timer = setTimeout(look, delay);
}

/** Milliseconds until the next look; null when there is nothing to wait for. */
function nextLook() {
  const { value: summary, error } = state.summary;
  if (error) return document.hidden ? HIDDEN_MS : WAITING_MS / 3;
  if (!summary) return WAITING_MS;
  const isImporting = state.upload?.id && !state.upload.isIn;
  const isOpen = summary.pending + summary.in_progress > 0 || isImporting;
  if (!isOpen) return null;
  if (document.hidden) return HIDDEN_MS;
  if (isTold && !isImporting) return WAITING_MS;
  const dueIn = summary.next_due_at ? Date.parse(summary.next_due_at) - Date.now() : 0;
  const isSoon = isImporting || summary.in_progress > 0 || dueIn < WAITING_MS;
  return isSoon ? BUSY_MS : WAITING_MS;
}

/** The file that was sent last: how far it is, until all its rows are in and looked up. */
async function followUpload() {
  const { upload } = state;
  if (!upload?.id) return;
  try {
    const { items, next_cursor: next, ...progress } = await api.importProgress(upload.id, 1, null);
    upload.progress = progress;
    upload.isIn = progress.state !== 'sending';
  } catch (error) {
    if (error.status === 404) update({ upload: null });
  }
  if (state.route.name === 'imports') {
    // Rows that were there before change nothing in the summary, which otherwise tells that it is time to look.
    if (!state.route.id) await loadImports();
    if (state.route.id === upload.id) await loadImportRows(upload.id);
  }
  update();
}

function listen() {
  const { supabase_url: address, anon_key: key } = state.config;
  socket = new Socket(`${address.replace(/^http/, 'ws')}/realtime/v1`, { params: { apikey: key } });
  socket.connect();
  accessToken().then((token) => {
    if (!socket || !token) return;
    // Only the news that something has changed is wanted: the rows themselves come through the API.
    const wanted = [{ event: '*', schema: 'public', table: 'enrichment_queue' }];
    const config = { postgres_changes: wanted, broadcast: { self: false }, presence: { key: '' }, private: false };
    // A function, so that joining again after an outage takes the token of then.
    const channel = socket.channel('realtime:book-enrichment', () => ({ config, access_token: tokenAtHand() }));
    channel.on('postgres_changes', lookSoon);
    channel.on('system', (message) => told(message.status === 'ok'));
    channel.onError(() => told(false));
    channel.onClose(() => told(false));
    channel.join().receive('error', () => told(false)).receive('timeout', () => told(false));
    keepToken(channel);
  });
}

function keepToken(channel) {
  const renewing = setInterval(async () => {
    if (!socket) return clearInterval(renewing);
    const token = await accessToken();
    if (token) channel.push('access_token', { access_token: token });
  }, TOKEN_MS);
}

function told(does) {
  if (isTold === does) return;
  isTold = does;
  document.documentElement.dataset.live = does ? 'realtime' : 'polling';
  lookSoon(); // whatever happened before the channel stood
}

function lookSoon() {
  // Not put off by the next message: while a worker is busy they come without a pause.
  settling ??= setTimeout(() => {
    settling = null;
    look();
  }, SETTLE_MS);
}

document.addEventListener('visibilitychange', () => {
  if (!document.hidden && state.session) look();
});
addEventListener('online', () => {
  update({ online: true });
  look().then(loadRoute);
});
addEventListener('offline', () => update({ online: false }));
