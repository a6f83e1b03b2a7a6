/* Which part of the page is shown: the address says it, as #/library, #/review, #/imports, #/imports/<id>, #/usage. */

import { watch } from './live.js';
import { loadRoute } from './loading.js';
import { state, update } from './state.js';

const ROUTES = ['library', 'review', 'imports', 'usage'];

/** Somebody has signed in: shows what the address asks for and keeps it up to date. */
export function enter(session) {
  update({ session, signIn: { busy: false, error: null } });
  follow();
  watch();
}

/** Shows what the address says. */
export function follow() {
  const [, name, id] = location.hash.split('/');
  const route = { name: ROUTES.includes(name) ? name : 'library', id: id ?? null };
  const isNew = route.name !== state.route.name || route.id !== state.route.id;
  update({ route });
  if (!state.session) return;
  loadRoute();
  if (isNew) startAtHeading();
}

/** Keyboard and screen reader go on at the heading of the new page, once it is drawn. */
function startAtHeading() {
  setTimeout(() => {
    document.querySelector('h1')?.focus({ preventScroll: true });
    scrollTo(0, 0);
  });
}
