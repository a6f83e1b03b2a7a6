/* Where the page begins: reads the configuration, opens the session, draws, and hears what the browser tells. After
   this file read state.js, then views/page.js for what is seen and actions.js and reviewing.js for what can be done. */

import { api } from './api.js';
import { importFile } from './actions.js';
import { listenToKeys } from './keys.js';
import { closing } from './reviewing.js';
import { enter, follow } from './routes.js';
import { openSession, SignInError } from './session.js';
import { drawWith, state, update } from './state.js';
import { dropAll } from './toasts.js';
import { render } from './vendor/lit-html/lit-html.js';
import { openDialog } from './views/dialogs.js';
import { page } from './views/page.js';
import { learn } from './words.js';

const app = document.getElementById('app');
app.replaceChildren();

drawWith(() => {
  render(page(begin), app);
  openDialog();
});

async function begin() {
  try {
    const config = await api.config();
    learn(config);
    update({ config: { ...config, supabase_url: config.supabase_url?.replace(/\/+$/, '') ?? null }, startError: null });
    const session = openSession(state.config);
    if (session) enter(session);
  } catch (error) {
    if (error instanceof SignInError) update({ signIn: { busy: false, error: error.message } });
    else update({ startError: error });
  }
}

addEventListener('hashchange', () => {
  // A sign-in link pasted into the open page changes nothing but the fragment.
  if (/[#&](access_token|error)=/.test(location.hash)) location.reload();
  else follow();
});

addEventListener('pagehide', () => {
  closing(true);
  dropAll();
});
addEventListener('pageshow', () => closing(false));

addEventListener('dragover', (event) => {
  if (!state.session || !event.dataTransfer?.types.includes('Files')) return;
  event.preventDefault();
  if (!state.dragging) update({ dragging: true });
});
addEventListener('dragleave', (event) => {
  if (!event.relatedTarget) update({ dragging: false });
});
addEventListener('drop', (event) => {
  if (!state.session || !event.dataTransfer?.files.length) return;
  event.preventDefault();
  importFile(event.dataTransfer.files[0]);
});

listenToKeys();
begin();
