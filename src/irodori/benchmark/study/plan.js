"use strict";
// What a judge sees and in which order.  All of it follows from the judge's random id.

/** FNV-1a, 32 bits. */
function hash(text) {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  }
  return value >>> 0;
}

/** A source of even numbers in [0, 1) that depends on a text alone: mulberry32. */
function seededRandom(text) {
  let state = hash(text);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 4294967296;
  };
}

/** A shuffled copy: Fisher and Yates. */
function shuffled(list, random) {
  const copy = list.slice();
  for (let i = copy.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [copy[i], copy[j]] = [copy[j], copy[i]];
  }
  return copy;
}

/** 128 random bits in hexadecimal. */
function newJudge() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The part of the study, from 0: the one asked for as "#part=1", counted from 1, or else one drawn by lot. */
function choosePart(study, judge, fragment) {
  const asked = /^#part=(\d+)$/.exec(fragment);
  if (asked && asked[1] >= 1 && asked[1] <= study.parts.length) {
    return asked[1] - 1;
  }
  return Math.floor(seededRandom(`${study.id} ${judge} part`)() * study.parts.length);
}

/** The trials in the judge's order, each with a left and a right picture; every other one is swapped. */
function planTrials(study, judge, part) {
  const random = seededRandom(`${study.id} ${judge}`);
  const trials = shuffled(study.parts[part], random);
  const start = random() < 0.5 ? 0 : 1;
  return trials.map((trial, i) => {
    const [first, second] = trial.pictures;
    const [left, right] = (i + start) % 2 ? [second, first] : [first, second];
    return { id: trial.id, sketch: trial.sketch, references: trial.references, left, right };
  });
}

/** Whether what was stored in the browser belongs to this study and can be gone on with. */
function canResume(study, saved) {
  if (!saved || saved.study !== study.id || !/^[0-9a-f]{32}$/.test(saved.judge) || !study.parts[saved.part]) {
    return false;
  }
  const trials = planTrials(study, saved.judge, saved.part);
  return (
    Array.isArray(saved.answers) &&
    saved.answers.length <= trials.length &&
    saved.answers.every((answer, i) => answer && answer.trial === trials[i].id)
  );
}

/** What is downloaded: everything that is recorded about a judge. */
function answersFile(study, state) {
  const { judge, part, answers } = state;
  return JSON.stringify({ format: study.format, study: study.id, judge, part, answers }, null, 1) + "\n";
}

if (typeof module !== "undefined") {
  module.exports = { answersFile, canResume, choosePart, newJudge, planTrials, seededRandom, shuffled };
}
