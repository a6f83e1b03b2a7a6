/* How the page says things: names of fields and states, values and moments; reasons for waiting as the server says
   them (GET /config). No word a reader sees is a code as it is; an unknown one is shown with its underscores taken out. */

// The fields that may be filled, by name and in the order in which they are shown; a sentence for each reason for waiting.
let fields = new Map();
let reasons = {};

/** Takes over what GET /config says of fields and reasons. */
export function learn(config) {
  fields = new Map(config.fields.map((field) => [field.name, field]));
  reasons = config.reasons;
}

/** The states of a book: the word on its badge, and the one on the filter. */
export const STATES = {
  pending: { badge: 'Waiting', filter: 'Waiting' },
  in_progress: { badge: 'Looking up', filter: 'Looking up' },
  needs_review: { badge: 'To review', filter: 'To review' },
  completed: { badge: 'Done', filter: 'Done' },
  skipped: { badge: 'No match', filter: 'No match' },
  failed: { badge: 'Failed', filter: 'Failed' },
};

const PROVIDERS = {
  openlibrary: 'Open Library',
  googlebooks: 'Google Books',
  openlibrary_covers: 'Open Library covers',
  storygraph: 'StoryGraph',
  goodreads: 'Goodreads',
};

const ACTIONS = {
  auto_applied: 'Filled in',
  queued_review: 'Put up for review',
  skipped: 'No match found',
  failed: 'Look-up failed',
  approved: 'Approved',
  dismissed: 'Dismissed',
  undone: 'Undone',
};

const CONFIDENCES = { high: 'Very likely', medium: 'Likely', low: 'Unsure', none: 'Not this book' };

const numbers = new Intl.NumberFormat('en');
const days = new Intl.DateTimeFormat('en', { day: 'numeric', month: 'long', year: 'numeric', timeZone: 'UTC' });
const moments = new Intl.DateTimeFormat('en', { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
const clock = new Intl.DateTimeFormat('en', { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
const distances = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });
const languages = new Intl.DisplayNames('en', { type: 'language' });

/** Fields in the order they are shown: the cover first. */
export function inOrder(names) {
  const order = [...fields.keys()];
  return [...names].sort((one, other) => order.indexOf(one) - order.indexOf(other));
}

export function fieldName(field) {
  return fields.get(field)?.label ?? plain(field.split('.').at(-1));
}

/** “cover, description and 2 more” */
export function fieldNames(list, most = 3) {
  const names = inOrder(list).map((field) => fieldName(field).replace(/^[A-Z](?![A-Z])/, (letter) => letter.toLowerCase()));
  if (names.length <= most) return joined(names);
  return `${names.slice(0, most - 1).join(', ')} and ${names.length - most + 1} more`;
}

export function joined(words) {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
}

export function stateName(status) {
  return STATES[status]?.badge ?? (status ? plain(status) : 'Not looked up');
}

export function confidenceName(confidence) {
  return CONFIDENCES[confidence] ?? 'Unknown';
}

export function providerName(provider) {
  return PROVIDERS[provider] ?? plain(provider ?? 'unknown');
}

export function actionName(action) {
  return ACTIONS[action] ?? plain(action);
}

/** Why something waits, and until when as far as that is known. */
export function waiting(reason, until) {
  const why = reasons[reason] ?? `${capital(plain(reason ?? 'waiting'))}.`;
  if (!until) return why;
  const moment = new Date(until);
  return moment - Date.now() < 5_000 ? why : `${why} Goes on ${soon(moment)}.`;
}

/** “in 40 seconds”, “at 14:05”, “on 23 Nov, 09:00” */
export function soon(moment) {
  const seconds = (moment - Date.now()) / 1000;
  if (seconds < 90) return distances.format(Math.max(1, Math.round(seconds)), 'second');
  if (seconds < 3600) return distances.format(Math.round(seconds / 60), 'minute');
  return seconds < 18 * 3600 ? `at ${clock.format(moment)}` : `on ${moments.format(moment)}`;
}

/** “just now”, “5 minutes ago”, “23 Nov, 09:00” */
export function ago(text) {
  const moment = new Date(text);
  const seconds = (Date.now() - moment) / 1000;
  if (seconds < 45) return 'just now';
  if (seconds < 3600) return distances.format(-Math.round(seconds / 60), 'minute');
  return seconds < 12 * 3600 ? distances.format(-Math.round(seconds / 3600), 'hour') : moments.format(moment);
}

export function time(text) {
  return clock.format(new Date(text));
}

/** A value as a reader says it; always text, whatever a provider sent. */
export function shown(field, value) {
  if (value === null || value === undefined || value === '') return null;
  switch (fields.get(field)?.kind) {
    case 'date':
      return Number.isNaN(Date.parse(value)) ? String(value) : days.format(new Date(value));
    case 'language':
      return languageName(String(value));
    case 'word':
      return capital(String(value));
    case 'minutes':
      return `${Math.floor(value / 60)} h ${value % 60} min`;
    default:
      return String(value);
  }
}

function languageName(code) {
  try {
    return languages.of(code) ?? code;
  } catch {
    return code; // not a code but a word, as some hosts keep it
  }
}

export function count(number, one, many = `${one}s`) {
  return `${numbers.format(number)} ${number === 1 ? one : many}`;
}

export function megabytes(bytes) {
  const mega = bytes / 1024 ** 2;
  if (mega >= 1000) return `${(mega / 1024).toFixed(mega % 1024 ? 1 : 0)} GB`;
  return mega >= 10 || mega === 0 ? `${Math.round(mega)} MB` : `${mega.toFixed(1)} MB`;
}

export function number(value) {
  return numbers.format(value);
}

export function capital(text) {
  return text && text[0].toUpperCase() + text.slice(1);
}

export function plain(code) {
  return String(code).replaceAll('_', ' ');
}
