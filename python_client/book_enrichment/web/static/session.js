/* Who reads: a Supabase session, from the address (#access_token=…, the implicit flow) or from e-mail and password.
   It lives in sessionStorage, so it ends with the tab, and is renewed a minute before it expires. */

const PLACE = 'book-enrichment-session';
const EARLY_MS = 60_000;

let config = null;
let session = null;
let renewal = null; // the one renewal under way, shared by all who wait for it

/** A sign-in that did not work; the message is for the reader. */
export class SignInError extends Error {}

/** The session of the address or of this tab, or null. Throws SignInError where the address brings a refusal. */
export function openSession(loadedConfig) {
  config = loadedConfig;
  const fragment = new URLSearchParams(location.hash.slice(1));
  if (fragment.has('access_token') || fragment.has('error')) {
    // Out of the address bar, and out of the history, before anything else happens.
    history.replaceState(null, '', location.pathname + location.search);
  }
  if (fragment.has('error')) throw new SignInError(fragment.get('error_description') ?? fragment.get('error'));
  if (fragment.has('access_token')) {
    return keep({ access_token: fragment.get('access_token'), refresh_token: fragment.get('refresh_token') });
  }
  const kept = sessionStorage.getItem(PLACE);
  session = kept && JSON.parse(kept);
  return session;
}

/** A session for e-mail and password; SignInError where they are not right. */
export async function signIn(email, password) {
  return keep(await askAuth('token?grant_type=password', { email, password }));
}

/** Ends the session here and, as far as it can be reached, at Supabase. */
export async function signOut() {
  const token = session?.access_token;
  close();
  if (token) await askAuth('logout?scope=local', null, token).catch(() => {});
}

/** Forgets the session without telling anybody: it has ended elsewhere. */
export function close() {
  session = null;
  sessionStorage.removeItem(PLACE);
}

/** A token that is good for the next minute, or null when there is none to be had any more. */
export async function accessToken() {
  if (!session) return null;
  if (session.expires_at - Date.now() > EARLY_MS) return session.access_token;
  return renew();
}

/** The token as it is, for a request that must leave at once because the page closes. */
export function tokenAtHand() {
  return session?.access_token ?? null;
}

/** A new token for the old one; null when the session has ended. */
export function renew() {
  renewal ??= (async () => {
    if (!session?.refresh_token) return session && session.expires_at > Date.now() ? session.access_token : null;
    try {
      return keep(await askAuth('token?grant_type=refresh_token', { refresh_token: session.refresh_token })).access_token;
    } catch (error) {
      if (error instanceof SignInError) return null;
      return session.access_token; // offline: the request that needs it will say so
    }
  })().finally(() => {
    renewal = null;
  });
  return renewal;
}

function keep({ access_token, refresh_token }) {
  const claims = readClaims(access_token);
  session = {
    access_token,
    refresh_token: refresh_token ?? null,
    expires_at: (claims.exp ?? Infinity) * 1000,
    email: claims.email ?? null,
  };
  sessionStorage.setItem(PLACE, JSON.stringify(session));
  return session;
}

/** What a token says of itself. Read for its expiry only: who somebody is, the server decides. */
function readClaims(token) {
  try {
    const middle = token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/');
    const bytes = Uint8Array.from(atob(middle), (letter) => letter.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw new SignInError('This sign-in link is broken. Ask for a new one, or sign in below.');
  }
}

async function askAuth(path, body, token) {
  const headers = { apikey: config.anon_key, 'content-type': 'application/json' };
  if (token) headers.authorization = `Bearer ${token}`;
  const reply = await fetch(`${config.supabase_url}/auth/v1/${path}`, {
    method: 'POST',
    headers,
    body: body && JSON.stringify(body),
  });
  const answer = await reply.json().catch(() => ({}));
  if (!reply.ok) throw new SignInError(answer.error_description ?? answer.msg ?? answer.message ?? 'Signing in did not work.');
  return answer;
}
