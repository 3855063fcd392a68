// The picture of the studio: sketch and coloring in one view, and everything that is done on it with a pointer or keys.

const MIN_SCALE = 0.02;
const MAX_SCALE = 64;
const MASK_COLOR = "#2f8f83";
const HINT_STEP = 14; // pixels of the screen between two hints of one stroke
const KEYS = { h: "move", b: "hint", e: "erase", i: "pick", s: "source", m: "mask" };

export default {
  template: `
    <div class="easel" ref="root" :data-tool="tool" :data-shown="shown" :data-state="state" data-drop="any">
      <canvas ref="canvas" class="easel-canvas" tabindex="0" role="application" :aria-label="label"
        @pointerdown="down" @pointermove="move" @pointerup="up" @pointercancel="up" @pointerleave="leave"
        @wheel.prevent="wheel" @keydown="key" @focus="focused = true; draw()" @blur="focused = false; draw()"
        @contextmenu.prevent @dblclick="fit"></canvas>
      <div v-if="comparing && sketch" class="easel-wipe" ref="wipe" role="slider" tabindex="0" aria-label="Compare: share of the sketch"
        aria-valuemin="0" aria-valuemax="100" :aria-valuenow="Math.round(share * 100)" :style="{ left: wipeLeft + 'px' }"
        @pointerdown.stop="wipeDown" @pointermove="wipeMove" @pointerup="wipeUp" @keydown="wipeKey"><span></span></div>
      <div v-if="!sketch" class="easel-empty">
        <p class="easel-title">Drop a sketch here</p>
        <p>Then drop pictures whose colors it should take. PNG, JPEG, WebP, TIFF or BMP.</p>
      </div>
      <div v-if="busy" class="easel-busy" :class="{ known: progress }" role="progressbar" aria-label="Coloring"
        :aria-valuenow="progress ? Math.round(progress * 100) : null" :style="{ '--done': progress }"></div>
      <div class="easel-foot" aria-hidden="true">
        <span v-if="sketch">{{ Math.round(percent) }} %</span><span v-if="at">{{ at }}</span>
        <span v-if="color_at" class="easel-swatch" :style="{ background: color_at }"></span><span v-if="color_at">{{ color_at }}</span>
      </div>
      <div v-if="dragging" class="easel-drop">{{ sketch ? "Drop: a reference" : "Drop: the sketch" }}</div>
    </div>`,

  props: {
    session: String,
    sketch: String, // addresses of pictures
    result: String,
    number: Number,
    width: Number,
    height: Number,
    hints: Array, // {x, y, color}
    tool: String,
    color: String,
    brush: Number,
    busy: Boolean,
    progress: Number, // 0...1, 0 = not known
    comparing: Boolean,
    mask: String, // address of the mask as it was painted before
    masking: String, // whose mask is painted: sketch or reference
    source: Object, // {x, y}: the place whose origin is shown
  },

  data() {
    return { percent: 100, at: "", color_at: "", share: 0.5, wipeLeft: 0, shown: 0, dragging: false, focused: false, state: "" };
  },

  computed: {
    label() {
      if (!this.sketch) return "Picture: empty. Drop a sketch, or choose one in the panel on the left.";
      return `Picture, ${this.width} by ${this.height} pixels. Arrow keys move the cursor, Enter uses the tool ${this.tool}.`;
    },
  },

  created() {
    Object.assign(this, { view: { scale: 1, x: 0, y: 0 }, before: null, after: null, stroke: null, pan: null, cursor: null });
    this.probe = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
    this.pressed = new Set();
  },

  mounted() {
    this.context = this.$refs.canvas.getContext("2d");
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.$refs.root);
    this.listeners = [
      [window, "keydown", (event) => this.shortcut(event)],
      [window, "keyup", (event) => this.pressed.delete(event.code)],
      [window, "dragover", (event) => this.dragOver(event)],
      [window, "dragleave", (event) => { if (!event.relatedTarget) this.dragging = false; }],
      [window, "drop", (event) => this.drop(event)],
      [window, "irodori-files", (event) => this.send(event.detail.files, event.detail.kind, event.detail.part)],
      [window.matchMedia("(prefers-color-scheme: dark)"), "change", () => this.draw()],
    ];
    for (const [target, name, listener] of this.listeners) target.addEventListener(name, listener);
    this.resize();
    this.load("before", this.sketch).then(() => this.fit());
    this.load("after", this.result);
    this.showMask(this.mask);
  },

  unmounted() {
    this.observer.disconnect();
    for (const [target, name, listener] of this.listeners) target.removeEventListener(name, listener);
  },

  watch: {
    sketch(url) {
      this.forgetMask();
      this.showMask(this.mask);
      this.load("before", url).then(() => this.fit());
    },
    result(url) { this.load("after", url); },
    hints() { this.draw(); },
    source() { this.draw(); },
    tool() { this.draw(); },
    mask(url) { this.showMask(url); },
    comparing() { this.$nextTick(() => this.draw()); },
  },

  methods: {
    // --- pictures

    async load(name, url) {
      this[name + "Url"] = url;
      let image = null;
      if (url) {
        image = new Image();
        image.src = url;
        try { await image.decode(); } catch { return; }
      }
      if (this[name + "Url"] !== url) return; // a newer one is on its way
      this[name] = image;
      this.draw();
      if (name === "after") this.shown = this.number || 0;
    },

    resize() {
      const { canvas, root } = this.$refs;
      const ratio = window.devicePixelRatio || 1;
      canvas.width = Math.max(1, Math.round(root.clientWidth * ratio));
      canvas.height = Math.max(1, Math.round(root.clientHeight * ratio));
      if (!this.moved) this.fit();
      this.draw();
    },

    draw() {
      if (this.frame) return;
      this.frame = requestAnimationFrame(() => { this.frame = 0; this.paint(); });
    },

    paint() {
      const { canvas } = this.$refs;
      if (!canvas) return;
      const ratio = window.devicePixelRatio || 1;
      const context = this.context;
      const { scale, x, y } = this.view;
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.clearRect(0, 0, canvas.width, canvas.height);
      if (!this.before) return;
      context.setTransform(scale * ratio, 0, 0, scale * ratio, x * ratio, y * ratio);
      context.imageSmoothingEnabled = scale * ratio < 1; // magnified pixels are squares
      context.imageSmoothingQuality = "high";
      const split = this.after ? (this.comparing ? this.share * this.width : this.pressed.has("Space") ? this.width : 0) : this.width;
      this.part(this.before, 0, split);
      if (this.after) this.part(this.after, split, this.width);
      if (this.maskCanvas) {
        context.globalAlpha = 0.45;
        context.drawImage(this.maskCanvas, 0, 0, this.width, this.height);
        context.globalAlpha = 1;
      }
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      this.wipeLeft = x + this.share * this.width * scale;
      for (const hint of this.hints || []) this.dot(hint, hint.color, 5);
      for (const hint of this.stroke?.points || []) this.dot(hint, this.color, 5);
      if (this.source) this.ring(this.source);
      if (this.focused && this.cursor) this.cross(this.cursor);
      this.percent = scale * 100;
    },

    part(image, from, to) {
      const context = this.context;
      context.save();
      context.beginPath();
      context.rect(from, 0, to - from, this.height);
      context.clip();
      context.drawImage(image, 0, 0, this.width, this.height);
      context.restore();
    },

    dot(place, color, radius) {
      const [x, y] = this.toScreen(place);
      const context = this.context;
      context.beginPath();
      context.arc(x, y, radius, 0, 7);
      context.fillStyle = color;
      context.fill();
      for (const [width, style] of [[3, "rgba(0,0,0,.55)"], [1.5, "#fff"]]) {
        context.lineWidth = width;
        context.strokeStyle = style;
        context.stroke();
      }
    },

    ring(place) {
      const [x, y] = this.toScreen(place);
      const context = this.context;
      for (const [width, style] of [[4, "rgba(0,0,0,.6)"], [2, "#fff"]]) {
        context.beginPath();
        context.arc(x, y, 9, 0, 7);
        context.lineWidth = width;
        context.strokeStyle = style;
        context.stroke();
      }
    },

    cross(place) {
      const [x, y] = this.toScreen(place);
      const context = this.context;
      for (const [width, style] of [[3, "rgba(0,0,0,.6)"], [1, "#fff"]]) {
        context.beginPath();
        context.moveTo(x - 12, y); context.lineTo(x + 12, y);
        context.moveTo(x, y - 12); context.lineTo(x, y + 12);
        context.lineWidth = width;
        context.strokeStyle = style;
        context.stroke();
      }
    },

    // --- the view

    fit() {
      const { root } = this.$refs;
      if (!root || !this.width) return;
      const margin = 28;
      const scale = Math.min((root.clientWidth - 2 * margin) / this.width, (root.clientHeight - 2 * margin) / this.height, 8);
      this.place(Math.max(scale, MIN_SCALE), (root.clientWidth - this.width * scale) / 2, (root.clientHeight - this.height * scale) / 2);
      this.moved = false;
    },

    place(scale, x, y) {
      this.view = { scale, x, y };
      this.moved = true;
      this.draw();
    },

    zoom(factor, x, y) {
      const { root } = this.$refs;
      const [left, top] = [x ?? root.clientWidth / 2, y ?? root.clientHeight / 2];
      const scale = Math.min(Math.max(this.view.scale * factor, MIN_SCALE), MAX_SCALE);
      const ratio = scale / this.view.scale;
      this.place(scale, left - (left - this.view.x) * ratio, top - (top - this.view.y) * ratio);
    },

    actual() { this.zoom(1 / this.view.scale); },

    toScreen({ x, y }) { return [this.view.x + (x + 0.5) * this.view.scale, this.view.y + (y + 0.5) * this.view.scale]; },

    toPicture(event) {
      const box = this.$refs.canvas.getBoundingClientRect();
      const x = (event.clientX - box.left - this.view.x) / this.view.scale - 0.5;
      const y = (event.clientY - box.top - this.view.y) / this.view.scale - 0.5;
      return { x: Math.round(x * 10) / 10, y: Math.round(y * 10) / 10 };
    },

    inside({ x, y }) { return this.sketch && x >= -0.5 && y >= -0.5 && x <= this.width - 0.5 && y <= this.height - 0.5; },

    colorAt({ x, y }) {
      const image = this.after || this.before;
      if (!image || !this.inside({ x, y })) return "";
      this.probe.clearRect(0, 0, 1, 1);
      this.probe.drawImage(image, Math.round(x), Math.round(y), 1, 1, 0, 0, 1, 1);
      const [red, green, blue] = this.probe.getImageData(0, 0, 1, 1).data;
      return "#" + [red, green, blue].map((level) => level.toString(16).padStart(2, "0")).join("");
    },

    tell(place) {
      const is_inside = this.inside(place);
      this.at = is_inside ? `${Math.round(place.x)}, ${Math.round(place.y)}` : "";
      this.color_at = is_inside ? this.colorAt(place) : "";
    },

    // --- pointer

    down(event) {
      this.$refs.canvas.setPointerCapture(event.pointerId);
      const place = this.toPicture(event);
      this.cursor = null;
      if (event.button === 1 || this.tool === "move" || this.pressed.has("Space")) {
        this.pan = { x: event.clientX - this.view.x, y: event.clientY - this.view.y };
      } else if (event.button === 2) {
        this.use("erase", [place]);
      } else if (this.tool === "hint") {
        this.stroke = { points: this.inside(place) ? [place] : [] };
      } else if (this.tool === "mask") {
        this.stroke = { last: place, erases: event.shiftKey };
        this.dab(place);
      } else this.use(this.tool, [place]);
      this.draw();
    },

    move(event) {
      const place = this.toPicture(event);
      this.tell(place);
      if (this.pan) this.place(this.view.scale, event.clientX - this.pan.x, event.clientY - this.pan.y);
      else if (this.stroke?.last) this.dab(place);
      else if (this.stroke && this.inside(place)) {
        const last = this.stroke.points.at(-1);
        if (!last || Math.hypot(place.x - last.x, place.y - last.y) * this.view.scale > HINT_STEP) this.stroke.points.push(place);
      }
      if (this.stroke) this.draw();
    },

    up() {
      const stroke = this.stroke;
      this.pan = this.stroke = null;
      if (stroke?.points?.length) this.use("hint", stroke.points);
      if (stroke?.last) this.sendMask();
      this.draw();
    },

    leave() { if (!this.stroke) { this.at = ""; this.color_at = ""; } },

    wheel(event) {
      const box = this.$refs.canvas.getBoundingClientRect();
      this.zoom(Math.exp(-event.deltaY * 0.0016), event.clientX - box.left, event.clientY - box.top);
    },

    use(tool, points) {
      if (!this.sketch || !points.length || !this.inside(points[0])) return;
      const [place] = points;
      if (tool === "hint") this.$emit("hint", { points, color: this.color });
      else if (tool === "erase") {
        const reach = 12 / this.view.scale;
        const distance = ({ x, y }) => Math.hypot(x - place.x, y - place.y);
        const nearest = (this.hints || []).map((hint, index) => [distance(hint), index]).sort((a, b) => a[0] - b[0])[0];
        if (nearest && nearest[0] <= reach) this.$emit("erase", { index: nearest[1] });
      } else if (tool === "pick") this.$emit("pick", { color: this.colorAt(place) });
      else if (tool === "source" && this.after) this.$emit("origin", place);
    },

    // --- keys

    key(event) {
      const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
      if (steps[event.key] && this.sketch) {
        const step = (event.shiftKey ? 24 : 4) / this.view.scale;
        const start = this.cursor || { x: this.width / 2, y: this.height / 2 };
        const clamp = (value, most) => Math.min(Math.max(value, 0), most - 1);
        const [dx, dy] = steps[event.key];
        this.cursor = { x: clamp(start.x + dx * step, this.width), y: clamp(start.y + dy * step, this.height) };
        this.tell(this.cursor);
        this.draw();
      } else if (event.key === "Enter" && this.cursor) {
        if (this.tool === "mask") { this.stroke = { last: this.cursor, erases: event.shiftKey }; this.dab(this.cursor); this.up(); }
        else this.use(this.tool, [this.cursor]);
      } else return;
      event.preventDefault();
    },

    shortcut(event) {
      if (event.target.closest?.("input, textarea, select, [contenteditable], .q-dialog")) return;
      const key = event.key.toLowerCase();
      const command = event.ctrlKey || event.metaKey;
      if (command && key === "z") this.$emit("command", { name: event.shiftKey ? "redo" : "undo" });
      else if (command && key === "y") this.$emit("command", { name: "redo" });
      else if (command && key === "s") this.$emit("command", { name: "save" });
      else if (command || event.altKey) return;
      else if (KEYS[key]) this.$emit("tool", { name: KEYS[key] });
      else if (key === "escape" && this.busy) this.$emit("command", { name: "stop" });
      else if (key === "w") this.$emit("command", { name: "compare" });
      else if (key === "?") this.$emit("command", { name: "help" });
      else if (key === "+" || key === "=") this.zoom(1.5);
      else if (key === "-") this.zoom(1 / 1.5);
      else if (key === "0") this.fit();
      else if (key === "1") this.actual();
      else if (key === "[" || key === "]") this.$emit("command", { name: key === "[" ? "thinner" : "thicker" });
      else if (event.code === "Space" && event.target === this.$refs.canvas) { this.pressed.add("Space"); this.draw(); }
      else return;
      event.preventDefault();
    },

    // --- before and after

    wipeDown(event) { this.$refs.wipe.setPointerCapture(event.pointerId); this.wiping = true; },
    wipeMove(event) {
      if (!this.wiping) return;
      const box = this.$refs.canvas.getBoundingClientRect();
      this.setShare((event.clientX - box.left - this.view.x) / (this.width * this.view.scale));
    },
    wipeUp() { this.wiping = false; },
    wipeKey(event) {
      const change = { ArrowLeft: -0.02, ArrowRight: 0.02, Home: -1, End: 1 }[event.key];
      if (!change) return;
      this.setShare(this.share + change);
      event.preventDefault();
    },
    setShare(share) { this.share = Math.min(Math.max(share, 0), 1); this.draw(); },

    // --- masks

    dab(place) {
      if (!this.maskCanvas) this.newMask();
      const paint = this.maskPaint;
      const last = this.stroke.last;
      paint.globalCompositeOperation = this.stroke.erases ? "destination-out" : "source-over";
      paint.strokeStyle = paint.fillStyle = MASK_COLOR;
      paint.lineCap = paint.lineJoin = "round";
      paint.lineWidth = this.brush / Math.min(this.view.scale, 1);
      paint.beginPath();
      paint.moveTo(last.x + 0.5, last.y + 0.5);
      paint.lineTo(place.x + 0.5, place.y + 0.5);
      paint.stroke();
      paint.beginPath(); // a line without length would paint nothing
      paint.arc(place.x + 0.5, place.y + 0.5, paint.lineWidth / 2, 0, 7);
      paint.fill();
      this.stroke.last = place;
      this.draw();
    },

    async sendMask() {
      const flat = new OffscreenCanvas(this.width, this.height);
      const paint = flat.getContext("2d");
      paint.drawImage(this.maskCanvas, 0, 0);
      paint.globalCompositeOperation = "source-in"; // what is painted is white, all else black
      paint.fillStyle = "#fff";
      paint.fillRect(0, 0, this.width, this.height);
      paint.globalCompositeOperation = "destination-over";
      paint.fillStyle = "#000";
      paint.fillRect(0, 0, this.width, this.height);
      const blob = await flat.convertToBlob({ type: "image/png" });
      if (await this.request("PUT", `masks/${this.masking}`, { mask: blob })) {
        this.ownMask = true;
        this.$emit("masked", {});
      }
    },

    newMask() {
      this.maskCanvas = new OffscreenCanvas(this.width, this.height);
      this.maskPaint = this.maskCanvas.getContext("2d");
    },

    forgetMask() {
      this.maskCanvas = null;
      this.ownMask = false;
      this.draw();
    },

    async showMask(url) { // the address of what was just sent tells nothing new
      if (this.stroke?.last || (url && this.ownMask)) { this.ownMask = false; return; }
      this.forgetMask();
      if (!url) return;
      const image = new Image();
      image.src = url;
      try { await image.decode(); } catch { return; }
      if (this.mask !== url || this.maskCanvas) return;
      this.newMask();
      this.maskPaint.drawImage(image, 0, 0);
      const pixels = this.maskPaint.getImageData(0, 0, this.width, this.height);
      for (let at = 0; at < pixels.data.length; at += 4) pixels.data[at + 3] = pixels.data[at]; // white is foreground
      this.maskPaint.putImageData(pixels, 0, 0);
      this.maskPaint.globalCompositeOperation = "source-in";
      this.maskPaint.fillStyle = MASK_COLOR;
      this.maskPaint.fillRect(0, 0, this.width, this.height);
      this.draw();
    },

    // --- files

    dragOver(event) {
      if (![...event.dataTransfer.types].includes("Files")) return;
      event.preventDefault();
      this.dragging = true;
    },

    drop(event) {
      this.dragging = false;
      if (!event.dataTransfer.files.length) return;
      event.preventDefault();
      this.send(event.dataTransfer.files, event.target.closest?.("[data-drop]")?.dataset.drop || "any");
    },

    async send(files, kind, part = "") {
      let has_sketch = Boolean(this.sketch);
      let count = 0;
      this.state = "sending";
      for (const file of files) {
        const wanted = kind === "any" ? (has_sketch ? "reference" : "sketch") : kind;
        const sent = wanted === "sketch"
          ? await this.request("PUT", "sketch", { sketch: file })
          : await this.request("POST", "references", { reference: file, part });
        if (!sent) break;
        count += 1;
        has_sketch ||= wanted === "sketch";
        if (kind === "sketch") break;
      }
      this.state = "";
      if (count) this.$emit("sent", {});
    },

    async request(method, address, fields) {
      const body = new FormData();
      for (const [name, value] of Object.entries(fields)) body.append(name, value);
      let sentence = "the server does not answer: is it still running?";
      try {
        const answer = await fetch(`/api/sessions/${this.session}/${address}`, { method, body });
        if (answer.ok) return true;
        sentence = (await answer.json()).error;
      } catch { /* the sentence says it */ }
      this.$emit("refused", { sentence });
      return false;
    },
  },
};
