// A button that asks for files; the easel sends them.

export default {
  template: `
    <label class="picker" :data-drop="kind">
      <input type="file" class="visually-hidden" :aria-label="label" :multiple="kind === 'reference'"
        accept="image/png,image/jpeg,image/webp,image/tiff,image/bmp" @change="choose" />
      <span class="button"><slot>{{ label }}</slot></span>
    </label>`,
  props: { kind: String, label: String },
  methods: {
    choose(event) {
      const files = [...event.target.files];
      event.target.value = ""; // so that the same file can be chosen again
      if (files.length) window.dispatchEvent(new CustomEvent("irodori-files", { detail: { files, kind: this.kind } }));
    },
  },
};
