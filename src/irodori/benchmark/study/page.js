// The page itself: shows one trial after the other, keeps the answers in this browser, and hands them out as a file.

const byId = (id) => document.getElementById(id);
const study = JSON.parse(byId("study").textContent);
const STORE = `irodori study ${study.id}`;
const FOLDER = "pictures/";
const LEAST_SECONDS = 0.3; // nobody compares two pictures in less: a key pressed twice

/** Counts the seconds in which the pictures could be seen. */
const clock = {
  spent: 0,
  since: null,
  start(spent) {
    this.spent = spent;
    this.since = document.hidden ? null : performance.now();
  },
  seconds() {
    return this.spent + (this.since === null ? 0 : (performance.now() - this.since) / 1000);
  },
  pause() {
    this.spent = this.seconds();
    this.since = null;
  },
};

let state = load();
let trials = planTrials(study, state.judge, state.part);
let ready = false; // the pictures of the trial are on screen
let spentBefore = 0; // seconds on the trial before it was taken back

function newState() {
  const judge = newJudge();
  return { study: study.id, judge, part: choosePart(study, judge, location.hash), answers: [] };
}

function load() {
  try {
    const saved = JSON.parse(localStorage.getItem(STORE));
    if (canResume(study, saved)) {
      return saved;
    }
  } catch {
    // Storage is switched off or holds something else: begin anew.
  }
  return newState();
}

function save() {
  try {
    localStorage.setItem(STORE, JSON.stringify(state));
  } catch {
    byId("unsaved").hidden = false;
  }
}

function show(screen) {
  ready = false;
  for (const name of ["intro", "trial", "done"]) {
    byId(name).hidden = name !== screen;
  }
  document.body.dataset.screen = screen;
  setZoom(false);
}

function picture(name, description) {
  const image = new Image();
  image.src = `${FOLDER}${name}.webp`;
  image.alt = description;
  return image;
}

function showIntro() {
  show("intro");
  byId("count").textContent = trials.length;
  byId("begin").textContent = state.answers.length ? `Go on with pair ${state.answers.length + 1}` : "Begin";
  byId("begin").focus();
}

function proceed() {
  if (state.answers.length < trials.length) {
    showTrial();
  } else {
    showDone();
  }
}

async function showTrial() {
  show("trial");
  const number = state.answers.length;
  const trial = trials[number];
  byId("position").textContent = `Pair ${number + 1} of ${trials.length}`;
  byId("progress").max = trials.length;
  byId("progress").value = number;
  byId("undo").disabled = number === 0;
  byId("broken").hidden = true;
  const several = trial.references.length > 1;
  const sources = [picture(trial.sketch, "The drawing")].concat(
    trial.references.map((name, i) => picture(name, several ? `Reference ${i + 1}` : "The reference"))
  );
  const candidates = [picture(trial.left, "Coloring on the left"), picture(trial.right, "Coloring on the right")];
  byId("sketch").replaceChildren(sources[0]);
  byId("references").replaceChildren(...sources.slice(1));
  byId("left").replaceChildren(candidates[0]);
  byId("right").replaceChildren(candidates[1]);
  byId("position").focus();
  try {
    await Promise.all([...sources, ...candidates].map((image) => image.decode()));
  } catch {
    byId("broken").hidden = candidates[0] !== byId("left").firstChild;
    return;
  }
  if (candidates[0] === byId("left").firstChild && !byId("trial").hidden) {
    ready = true;
    clock.start(spentBefore);
    preload(trials[number + 1]);
  }
}

function preload(trial) {
  if (trial) {
    [trial.sketch, ...trial.references, trial.left, trial.right].forEach((name) => picture(name, ""));
  }
}

function choose(choice) {
  if (!ready || clock.seconds() - spentBefore < LEAST_SECONDS || (choice === "tie" && !study.ties)) {
    return;
  }
  const { id, left, right } = trials[state.answers.length];
  const seconds = Math.round(clock.seconds() * 1000) / 1000;
  state.answers.push({ trial: id, left, right, choice, seconds });
  save();
  spentBefore = 0;
  const words = { left: "Left chosen.", right: "Right chosen.", tie: "No difference." };
  byId("status").textContent = `${words[choice]} U takes it back.`;
  proceed();
}

function undo() {
  if (state.answers.length) {
    spentBefore = state.answers.pop().seconds;
    save();
    byId("status").textContent = "Taken back.";
    showTrial();
  }
}

function showDone() {
  show("done");
  const missing = trials.length - state.answers.length;
  byId("finished").hidden = missing > 0;
  byId("unfinished").hidden = missing === 0;
  byId("missing").textContent = missing;
  byId("continue").hidden = missing === 0;
  byId("back").hidden = missing > 0;
  byId("text").value = answersFile(study, state);
  byId("download").disabled = !state.answers.length;
  byId("download").focus();
}

function download() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([answersFile(study, state)], { type: "application/json" }));
  link.download = `answers-${state.judge.slice(0, 8)}.json`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  byId("downloaded").textContent = `Saved as ${link.download}. Send this file to whoever asked you.`;
}

function startOver() {
  if (confirm("Begin again as another judge? The answers of this one are deleted from this browser.")) {
    state = newState();
    trials = planTrials(study, state.judge, state.part);
    save();
    showIntro();
  }
}

function setZoom(zoomed) {
  document.body.classList.toggle("zoomed", zoomed);
  byId("zoom").setAttribute("aria-pressed", String(zoomed));
}

function toggleZoom() {
  setZoom(!document.body.classList.contains("zoomed"));
}

/** Both candidates show the same place. */
function scrollTogether(from, to) {
  if (to.scrollLeft !== from.scrollLeft || to.scrollTop !== from.scrollTop) {
    to.scrollTo(from.scrollLeft, from.scrollTop);
  }
}

const KEYS = {
  ArrowLeft: () => choose("left"),
  ArrowRight: () => choose("right"),
  " ": () => choose("tie"),
  u: undo,
  z: toggleZoom,
};
const PAN = { ArrowLeft: [-80, 0], ArrowRight: [80, 0], ArrowUp: [0, -80], ArrowDown: [0, 80] };

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("trial").hidden) {
    return;
  }
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (event.shiftKey && PAN[key]) {
    byId("left").scrollBy(...PAN[key]);
  } else if (KEYS[key] && !(key === " " && event.target.closest("button"))) {
    if (!event.repeat) {
      KEYS[key]();
    }
  } else {
    return;
  }
  event.preventDefault();
}

const CLICKS = {
  begin: proceed,
  "choose-left": () => choose("left"),
  "choose-tie": () => choose("tie"),
  "choose-right": () => choose("right"),
  undo,
  zoom: toggleZoom,
  stop: showDone,
  download,
  continue: proceed,
  back: undo,
  again: startOver,
};
for (const [id, action] of Object.entries(CLICKS)) {
  const button = byId(id);
  if (button) {
    button.addEventListener("click", action);
  }
}
byId("left").addEventListener("scroll", () => scrollTogether(byId("left"), byId("right")));
byId("right").addEventListener("scroll", () => scrollTogether(byId("right"), byId("left")));
document.addEventListener("keydown", onKey);
document.addEventListener("visibilitychange", () => (document.hidden ? clock.pause() : ready && clock.start(clock.spent)));
showIntro();
