"use strict";
(() => {
  const form = document.getElementById("filters");
  const shown = document.getElementById("shown");
  const none = document.getElementById("none");
  const choices = [...form.querySelectorAll("select")];
  const controls = [...document.querySelectorAll("article.control, section.control")].map((part) => ({
    part,
    words: part.dataset.control + " " + (part.querySelector("h2, h3")?.textContent ?? ""),
    places: [...part.querySelectorAll(".places > li")].map((item) => ({ item, words: "" })),
  }));
  const lower = (text) => text.toLowerCase();
  controls.forEach((control) => {
    control.words = lower(control.words);
    control.places.forEach((place) => { place.words = lower(place.item.textContent); });
  });
  const all = controls.reduce((sum, control) => sum + control.places.length, 0);

  function narrow() {
    const words = lower(form.elements.words.value).split(/\s+/).filter((word) => word !== "");
    const want = Object.fromEntries(choices.map((choice) => [choice.id, choice.value]));
    const fitting = (is) => Object.entries(want).every(([name, value]) => value === "" || is[name] === value);
    const isNarrow = words.length > 0 || Object.values(want).some((value) => value !== "");
    let count = 0;
    let parts = 0;
    for (const control of controls) {
      let here = 0;
      for (const { item, words: said } of control.places) {
        const fits = fitting({ ...control.part.dataset, ...item.dataset }) &&
          words.every((word) => said.includes(word) || control.words.includes(word));
        item.hidden = !fits;
        here += fits ? 1 : 0;
      }
      const own = words.length > 0 && fitting(control.part.dataset) &&
        words.every((word) => control.words.includes(word));
      const visible = !isNarrow || here > 0 || (control.places.length === 0 && own);
      control.part.hidden = !visible;
      count += here;
      parts += visible ? 1 : 0;
    }
    none.hidden = !isNarrow || parts > 0;
    shown.textContent = isNarrow ? `${count} of ${all} places shown` : `${all} places`;
  }

  form.hidden = false;
  form.addEventListener("input", narrow);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(narrow));
  narrow();
})();
