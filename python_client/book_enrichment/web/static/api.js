/* The REST API of this app, one function per route. Replies are plain objects as the README shows them; whatever
   is no success becomes an ApiError that says what to tell the reader. */

import { accessToken, renew, tokenAtHand } from './session.js';

const BASE = new URL('../api/v1/enrichment/', import.meta.url);

/** A refusal or an outage. `status` is 0 where nothing answered at all. */
export class ApiError extends Error {
  constructor(status, problem = {}) {
    super(problem.detail ?? problem.title ?? `The server answered ${status}.`);
    this.status = status;
    this.hint = problem.hint ?? null;
    this.code = problem.code ?? null;
  }

  get isOffline() {
    return this.status === 0;
  }

  get isSignedOut() {
    return this.status === 401;
  }
}

export const api = {
  config: () => get('config', {}, { isOpen: true }),
  summary: () => get('summary'),
  library: (filter, limit, cursor) => get('library', { filter, limit, cursor }),
  queue: (status, limit, cursor) => get('queue', { status, limit, cursor }),
  trigger: (workIds) => post('trigger', { work_ids: workIds }),
  triggerAll: () => post('trigger-all'),
  approve: (queueId, fields, candidate) => post(`${queueId}/approve`, { fields, candidate }),
  dismiss: (queueId) => post(`${queueId}/dismiss`),
  undo: (queueId) => post(`${queueId}/undo`),
  bulk: (action, filter, fields, dryRun) => post('bulk', { action, filter, fields, dry_run: dryRun }),
  imports: () => get('imports'),
  importProgress: (id, limit, cursor) => get(`imports/${id}`, { limit, cursor }),
  undoImport: (id) => post(`imports/${id}/undo`),
  explain: (workId) => get(`works/${workId}/explain`),
  history: (workId) => get(`works/${workId}/history`),
  usage: () => get('usage'),
  upload,
  dismissAtOnce,
};

function get(path, query, options) {
  return call('GET', path, { query, ...options });
}

function post(path, body) {
  return call('POST', path, { body });
}

async function call(method, path, { query = {}, body, isOpen = false }) {
  const url = new URL(path, BASE);
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined) url.searchParams.set(name, value);
  }
  const ask = async (token) => {
    const headers = { accept: 'application/json' };
    if (token) headers.authorization = `Bearer ${token}`;
    if (body !== undefined) headers['content-type'] = 'application/json';
    try {
      return await fetch(url, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), cache: 'no-store' });
    } catch {
      throw new ApiError(0, { detail: 'The server cannot be reached.' });
    }
  };
  if (isOpen) return answerOf(await ask(null));
  let reply = await ask(await tokenOrRefuse());
  if (reply.status === 401) {
    // The clocks of two machines differ: one renewal, then it is over.
    const token = await renew();
    if (token) reply = await ask(token);
  }
  return answerOf(reply);
}

async function tokenOrRefuse() {
  const token = await accessToken();
  if (!token) throw new ApiError(401, { detail: 'Your session has ended.' });
  return token;
}

async function answerOf(reply) {
  const answer = await reply.json().catch(() => ({}));
  if (!reply.ok) throw new ApiError(reply.status, answer);
  return answer;
}

/** Sends a file; `onShare` hears how much of it is away, from 0 to 1. */
async function upload(file, onShare) {
  const token = await tokenOrRefuse();
  const form = new FormData();
  form.append('file', file, file.name);
  // fetch() tells nothing about an upload under way, so this one request is of the older kind.
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', new URL('import', BASE));
    request.setRequestHeader('authorization', `Bearer ${token}`);
    request.responseType = 'json';
    request.upload.onprogress = (event) => event.lengthComputable && onShare(event.loaded / event.total);
    request.onerror = () => reject(new ApiError(0, { detail: 'The server cannot be reached.' }));
    request.onload = () => {
      if (request.status < 300) resolve(request.response);
      else reject(new ApiError(request.status, request.response ?? {}));
    };
    request.send(form);
  });
}

/** Dismisses while the page is being closed: nobody will hear the answer. */
function dismissAtOnce(queueId) {
  fetch(new URL(`${queueId}/dismiss`, BASE), {
    method: 'POST',
    headers: { authorization: `Bearer ${tokenAtHand()}` },
    keepalive: true,
  }).catch(() => {});
}
