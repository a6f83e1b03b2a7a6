/* What the page knows, in one object, and the one way to change it. Everything that is shown is a function of
   `state`; `update` says that something changed and draws once, however many changes come in a row. */

export const state = {
  config: null, // the reply of GET /config
  startError: null, // why there is none
  signIn: { busy: false, error: null },
  route: { name: 'library', id: null },
  online: navigator.onLine,
  heardAt: null, // when the last reply came in, for the offline banner
  said: '', // for screen readers, in a live region
  dragging: false, // a file is held over the page
  shortcuts: localStorage.getItem('book-enrichment-shortcuts') !== 'off',
  brokenCovers: new Set(), // addresses that gave no image
  ...ofOneReader(),
};

/** What has to be forgotten when somebody signs out. */
function ofOneReader() {
  return {
    session: null, // see session.js
    summary: loadable(null),
    library: { ...loadable([]), filter: null, cursor: null },
    review: {
      ...loadable([]),
      cursor: null,
      current: null, // queue id of the row that is shown
      sought: null, // queue id of one that was asked for elsewhere, however far down it is
      unticked: new Map(), // queue id -> set of fields
      picked: new Map(), // queue id -> candidate chosen among rivals
      skipped: new Set(), // left for later, shown last
      leaving: new Set(), // decided here, not yet said to the server
      busy: null,
    },
    imports: loadable([]),
    importRows: { ...loadable([]), id: null, cursor: null, progress: null },
    usage: loadable([]),
    selected: new Set(), // work ids in the library
    upload: null, // { name, share, id, progress, error }
    dialog: null, // { kind, … }, see views/dialogs.js
    toasts: [],
  };
}

/** Something that is fetched: what it holds, whether it is on its way, and why it did not come. */
export function loadable(value) {
  return { value, loading: false, loaded: false, error: null };
}

let draw = () => {};
let isPlanned = false;

/** Names the function that draws the page. */
export function drawWith(render) {
  draw = render;
}

/** Takes changes of the state's own keys, or none where something inside was changed; draws once, a moment later. */
export function update(changes = {}) {
  Object.assign(state, changes);
  if (isPlanned) return;
  isPlanned = true;
  // A microtask, no animation frame: those stand still in a hidden tab, and it would show old news when it comes back.
  queueMicrotask(() => {
    isPlanned = false;
    draw();
  });
}

/** Says a sentence to screen readers. */
export function say(sentence) {
  update({ said: sentence });
}

export function forgetReader() {
  update(ofOneReader());
}

export function keepShortcuts(areOn) {
  localStorage.setItem('book-enrichment-shortcuts', areOn ? 'on' : 'off');
  update({ shortcuts: areOn });
}
